//! List of objects, kept as the text that the API answers: as JSON values, the pods of a large
//! cluster take ten times as much memory.

use std::ops::Range;

use axum::body::Bytes;
use serde_json::Value;

/// List of objects of one kind.
pub(super) struct List {
    /// Text up to the first object.
    head: String,
    text: Bytes,
    /// Place of each object in the text.
    objects: Vec<Range<usize>>,
}

/// Text after the last object.
const TAIL: &str = "]}";

impl List {
    /// List of `objects`, of the kind `kind` such as `PodList`.
    pub(super) fn of(kind: &str, objects: impl IntoIterator<Item = Value>) -> Self {
        let head = format!(
            "{{\"kind\":\"{kind}\",\"apiVersion\":\"v1\",\
             \"metadata\":{{\"resourceVersion\":\"104200\"}},\"items\":["
        );
        let (mut text, mut places) = (head.clone(), Vec::new());
        for object in objects {
            if !places.is_empty() {
                text.push(',');
            }
            let start = text.len();
            text.push_str(&object.to_string());
            places.push(start..text.len());
        }
        text.push_str(TAIL);
        text.shrink_to_fit();
        Self { head, text: Bytes::from(text), objects: places }
    }

    /// Text of the list, shared by all answers.
    pub(super) fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// Text of a list of the first `limit` objects whose numbers `is_wanted` accepts.
    pub(super) fn text_of(&self, is_wanted: impl Fn(usize) -> bool, limit: usize) -> Bytes {
        let wanted = self.objects.iter().enumerate().filter(|(number, _)| is_wanted(*number));
        let mut text = self.head.clone().into_bytes();
        for (position, (_, place)) in wanted.take(limit).enumerate() {
            if position > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&self.text[place.clone()]);
        }
        text.extend_from_slice(TAIL.as_bytes());
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn items(text: &Bytes) -> Value {
        serde_json::from_slice::<Value>(text).unwrap()["items"].clone()
    }

    #[test]
    fn a_part_of_a_list_has_its_objects_in_their_order() {
        let list = List::of("PodList", (0..6).map(|number| json!({ "n": number })));
        assert_eq!(items(&list.text()).as_array().unwrap().len(), 6);
        let even = list.text_of(|number| number % 2 == 0, usize::MAX);
        assert_eq!(items(&even), json!([{ "n": 0 }, { "n": 2 }, { "n": 4 }]));
        assert_eq!(items(&list.text_of(|number| number % 2 == 0, 1)), json!([{ "n": 0 }]));
        assert_eq!(items(&list.text_of(|_| false, 1)), json!([]));
    }

    #[test]
    fn an_empty_list_is_one_of_kubernetes() {
        let text: Value = serde_json::from_slice(&List::of("PodList", []).text()).unwrap();
        assert_eq!((&text["kind"], &text["apiVersion"]), (&json!("PodList"), &json!("v1")));
        assert_eq!(text["items"], json!([]));
    }
}
