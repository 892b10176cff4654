//! Renderers of a finished comparison: text, and Markdown for a pull request. Its page is in
//! [`html`](super::html).

pub(super) mod attribution;
mod markdown;
pub(super) mod notes;
pub(super) mod rows;
mod text;

pub use markdown::render as render_markdown;
pub use text::render as render_text;
