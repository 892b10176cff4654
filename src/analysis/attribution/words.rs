//! Causes of peaks in words.

use super::{Cause, ExecutorClass, ExecutorPeak, NamedRequest, PeakGrowth, RequestKind};
use crate::units::as_mib;

/// Maximum number of requests that are named as possible causes of one peak.
const MAX_NAMED: usize = 3;

impl ExecutorClass {
    /// Cause of the largest peak, and the largest peak without requests of that kind: `sky.launch
    /// of c (user u), +42.0 MiB in 1.8 s; without sky.launch: 228.0 MiB`.
    pub fn cause_in_words(&self) -> String {
        let without = self.without_in_words().map(|text| format!("; {text}"));
        self.cause_alone_in_words() + &without.unwrap_or_default()
    }

    /// Cause of the largest peak.
    pub fn cause_alone_in_words(&self) -> String {
        one_line(&self.cause.in_words())
    }

    /// Largest peak without requests of the cause's kind; `None` without such a kind.
    pub fn without_in_words(&self) -> Option<String> {
        let without = self.without.as_ref()?;
        // A daemon is named before, by a long name.
        let kind = match &without.kind {
            RequestKind::Daemon(_) => "it".to_owned(),
            kind => one_line(&kind.to_string()),
        };
        Some(format!("without {kind}: {:.1} MiB", as_mib(without.peak)))
    }
}

impl ExecutorPeak {
    /// Cause of the peak in words.
    pub fn cause_in_words(&self) -> String {
        one_line(&self.cause.in_words())
    }
}

/// Text in one line: names are the server's.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Cause {
    fn in_words(&self) -> String {
        match self {
            Self::Request { request, growth } => format!("{request}{}", grown(*growth)),
            Self::OneOf { requests, growth } => format!("{}{}", one_of(requests), grown(*growth)),
            Self::Import => "import of SkyPilot, before the first request".to_owned(),
            Self::NoRequest => "no request ran".to_owned(),
            Self::Unknown(reason) => format!("cause unknown, {}", reason.in_words()),
        }
    }
}

impl std::fmt::Display for NamedRequest {
    /// Writes the kind, the cluster or else the ID of an unnamed request, and the user.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.kind == super::RequestKind::Unrecorded {
            write!(f, " {}", self.id)?;
        }
        if let Some(cluster) = &self.cluster {
            write!(f, " of {cluster}")?;
        }
        match &self.user {
            Some(user) => write!(f, " (user {user})"),
            None => Ok(()),
        }
    }
}

/// Requests of which one is the cause.
fn one_of(requests: &[NamedRequest]) -> String {
    if let [only] = requests {
        return format!("probably {only}");
    }
    // Requests of one user and one kind have the same name.
    let mut named: Vec<(String, usize)> = Vec::new();
    for name in requests.iter().map(ToString::to_string) {
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => named.push((name, 1)),
        }
    }
    let text = |(name, count): &(String, usize)| match count {
        1 => name.clone(),
        _ => format!("{count}x {name}"),
    };
    let names: Vec<String> = named.iter().take(MAX_NAMED).map(text).collect();
    match named.iter().skip(MAX_NAMED).map(|(_, count)| count).sum::<usize>() {
        0 => format!("one of: {}", names.join(", ")),
        more => format!("one of: {}, {more} more", names.join(", ")),
    }
}

fn grown(growth: Option<PeakGrowth>) -> String {
    let Some(PeakGrowth { by, within }) = growth else { return String::new() };
    format!(", +{:.1} MiB in {:.1} s", as_mib(by), within.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{RequestKind, UnknownCause};
    use super::*;
    use crate::units::ByteSize;

    fn request(id: &str, kind: RequestKind, of: Option<(&str, &str)>) -> NamedRequest {
        NamedRequest {
            id: id.to_owned(),
            kind,
            cluster: of.map(|(cluster, _)| cluster.to_owned()),
            user: of.map(|(_, user)| user.to_owned()),
        }
    }

    #[test]
    fn a_cause_is_said_in_words() {
        let growth =
            Some(PeakGrowth { by: ByteSize::mib(42), within: Duration::from_millis(1840) });
        let launch = RequestKind::Named("sky.launch".to_owned());
        let launch = request("7f", launch, Some(("skyload-f7eb-launch-0", "ann")));
        let daemon = "skypilot-status-refresh-daemon";
        let daemon = request(daemon, RequestKind::Daemon(daemon.to_owned()), None);
        let unknown = request("80", RequestKind::Unrecorded, None);
        let of = |request: &NamedRequest, growth| {
            Cause::Request { request: request.clone(), growth }.in_words()
        };
        assert_eq!(
            of(&launch, growth),
            "sky.launch of skyload-f7eb-launch-0 (user ann), +42.0 MiB in 1.8 s"
        );
        assert_eq!(of(&daemon, None), "daemon skypilot-status-refresh-daemon");
        assert_eq!(of(&unknown, None), "unrecorded request 80");
        let one_of =
            |requests: Vec<NamedRequest>| Cause::OneOf { requests, growth: None }.in_words();
        assert_eq!(one_of(vec![unknown.clone()]), "probably unrecorded request 80");
        assert_eq!(
            one_of(vec![unknown.clone(), daemon.clone()]),
            "one of: unrecorded request 80, daemon skypilot-status-refresh-daemon"
        );
        assert_eq!(one_of(vec![unknown.clone(); 5]), "one of: 5x unrecorded request 80");
        let others =
            ["a", "b", "c", "c"].map(|id| NamedRequest { id: id.to_owned(), ..unknown.clone() });
        let all: Vec<NamedRequest> = [unknown].into_iter().chain(others).collect();
        assert!(one_of(all).ends_with(", unrecorded request b, 2 more"));
        let reason = Cause::Unknown(UnknownCause::BeforeProfile).in_words();
        assert_eq!(reason, "cause unknown, reached before the profile began");
    }
}
