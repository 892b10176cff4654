//! The query of a URL, as SkyPilot's clients send it: repeated names, and
//! Python's `True`.

/// The pairs of a query.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Takes a query apart. None of the values that matter needs escaping.
    pub(crate) fn new(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The first value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// All values of `name`.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(given, _)| given == name);
        values.map(|(_, value)| value.clone()).collect()
    }

    /// The value of a switch.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |value| {
            ["true", "1", "yes", "on"].contains(&value.to_ascii_lowercase().as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn names_may_repeat_and_flags_are_python_s() {
        let query = Query::new(Some("all_status=True&limit=50&fields=name&fields=status"));
        assert!(query.flag("all_status", false));
        assert!(query.flag("follow", true));
        assert_eq!(query.get("limit"), Some("50"));
        assert_eq!(query.all("fields"), ["name", "status"]);
    }
}
