//! Query string of a URL, as SkyPilot's clients send it: with repeated names and Python's
//! `True`.

/// Name-value pairs of a query string.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query string, without decoding: no value that is used here needs escaping.
    pub(crate) fn new(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// First value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Values of `name`.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(given, _)| given == name);
        values.map(|(_, value)| value.clone()).collect()
    }

    /// Value of a boolean, or `default` if the query does not have it.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |value| {
            // Like pydantic, which parses the query in SkyPilot.
            ["true", "1", "yes", "on"].contains(&value.to_ascii_lowercase().as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn names_may_repeat_and_booleans_are_pythons() {
        let query = Query::new(Some("all_status=True&limit=50&fields=name&fields=status"));
        assert!(query.flag("all_status", false));
        assert!(query.flag("follow", true));
        assert_eq!(query.get("limit"), Some("50"));
        assert_eq!(query.all("fields"), ["name", "status"]);
    }
}
