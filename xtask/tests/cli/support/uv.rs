//! Stand-in for uv: it "builds" a copy of the source, and "installs" it with a stand-in for `sky`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use skyload::env;

use super::{Site, Xtask};

/// Writes the stand-in into the site. `sky` is the text of a shell script that makes
/// `$environment/bin/sky`. Each build is a line in the file `builds`: the date of its dependencies.
pub(crate) fn write(site: &Site, sky: &str) -> anyhow::Result<()> {
    let script = format!(
        r#"#!/bin/sh
set -e
case "$*" in
--version) echo uv 0.13.9 ;;
venv*)
    shift 3
    mkdir -p "$1/bin"
    printf '#!/bin/sh\nPYTHONPATH=%s exec python3 "$@"\n' "$1/site" > "$1/bin/python"
    chmod +x "$1/bin/python" ;;
build*)
    echo "$4" >> {builds}
    shift 6
    mkdir -p "$2" "$3/build/lib"
    cp -r "$3/sky" "$2/sky"
    : > "$2/skypilot.whl" ;;
*--dry-run*)
    echo 'hint: the requested version was published at 2026-10-01T00:00:00Z.'
    exit 1 ;;
pip*)
    while [ "$1" != --python ]; do shift; done
    environment=${{2%/bin/python}}
    mkdir -p "$environment/site/click-8.1.dist-info"
    printf 'Name: click\nVersion: 8.1\n' > "$environment/site/click-8.1.dist-info/METADATA"
    cp -r "$environment/wheel/sky" "$environment/site/sky"
    {sky} ;;
*) exit 9 ;;
esac
"#,
        builds = site.path("builds").display(),
    );
    let uv = site.path("bin/uv");
    fs::create_dir_all(site.path("bin"))?;
    fs::write(&uv, script)?;
    fs::set_permissions(&uv, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Command that finds the stand-in first.
pub(crate) fn on_path<'a>(site: &Site, command: Xtask<'a>) -> Xtask<'a> {
    let path = env::text("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", site.path("bin").display()))
}
