//! Variables and kernel settings that affect the memory use of the server's processes.

use std::ffi::OsStr;
use std::fs;

use skyload::record::environment::{HugePages, MemorySettings};
use skyload::record::request::ServerVariable;

const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// Memory settings of a server: variables `inherited` from the shell, variables `asked` for by
/// `--server-env`, and the kernel's setting of transparent huge pages.
pub fn shape<'a>(
    inherited: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
    asked: &[ServerVariable],
) -> MemorySettings {
    let text = |it: &OsStr| it.to_string_lossy().into_owned();
    let inherited = inherited.into_iter().map(|(name, value)| (text(name), text(value)));
    let shaping = inherited.filter(|(name, _)| MemorySettings::affects_memory(name));
    let asked = asked.iter().map(|given| (given.name.clone(), given.value.to_string()));
    // The later entry of a name replaces the earlier one: `--server-env` takes precedence.
    MemorySettings { variables: shaping.chain(asked).collect(), huge_pages: huge_pages() }
}

fn huge_pages() -> HugePages {
    fs::read_to_string(HUGE_PAGES).map_or(HugePages::Unknown, |text| HugePages::parse(&text))
}
