//! Answers of EC2's API, in XML.

use anyhow::{Context as _, Result};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Instance, State};

/// Instances in the answer to `DescribeInstances`.
pub(super) fn instances(answer: &str, region: &str) -> Result<Vec<Instance>> {
    let mut found = Vec::new();
    let mut fields = Fields::default();
    visit(answer, |path, text| {
        let Some(at) = path.iter().rposition(|name| name == "instancesSet") else { return };
        match (&path[at + 1..], text) {
            ([item], None) if item == "item" => {
                found.extend(std::mem::take(&mut fields).into_instance(region));
            }
            ([_, name], Some(text)) if name == "instanceId" => fields.id = Some(text),
            ([_, name], Some(text)) if name == "ipAddress" => fields.public = Some(text),
            ([_, tags, _, part], Some(text)) if tags == "tagSet" => match part.as_str() {
                "key" => fields.tag = Some(text),
                // SkyPilot names an instance after its cluster.
                "value" if fields.tag.as_deref() == Some("Name") => fields.name = Some(text),
                _ => {}
            },
            ([_, state, name], Some(text)) if state == "instanceState" && name == "name" => {
                fields.state = Some(text);
            }
            _ => {}
        }
    })?;
    Ok(found)
}

/// User data in the answer to `DescribeInstanceAttribute`, in Base64; `None` if there is none.
pub(super) fn user_data(answer: &str) -> Result<Option<String>> {
    let mut data = None;
    visit(answer, |path, text| {
        if let ([.., attribute, value], Some(text)) = (path, text)
            && attribute == "userData"
            && value == "value"
        {
            data = Some(text);
        }
    })?;
    Ok(data)
}

/// Texts of an instance that are known so far.
#[derive(Default)]
struct Fields {
    id: Option<String>,
    state: Option<String>,
    public: Option<String>,
    /// Key of the tag whose value is next.
    tag: Option<String>,
    name: Option<String>,
}

impl Fields {
    fn into_instance(self, region: &str) -> Option<Instance> {
        let state = match self.state?.as_str() {
            "pending" | "running" => State::Running,
            "stopping" | "stopped" => State::Stopped,
            _ => State::Terminated,
        };
        let (public, name) = (self.public, self.name);
        Some(Instance { id: self.id?, region: region.to_owned(), state, public, name })
    }
}

/// Calls `visit` with the names of the elements around each text and the text, and with `None`
/// at the end of each element.
fn visit(answer: &str, mut visit: impl FnMut(&[String], Option<String>)) -> Result<()> {
    const READING: &str = "reading an answer of the cloud API";
    let mut reader = Reader::from_str(answer);
    let mut path: Vec<String> = Vec::new();
    loop {
        match reader.read_event().context(READING)? {
            Event::Start(element) => {
                path.push(String::from_utf8_lossy(element.local_name().as_ref()).into_owned());
            }
            Event::Text(text) => {
                let text = text.decode().context(READING)?.trim().to_owned();
                if !text.is_empty() {
                    visit(&path, Some(text));
                }
            }
            Event::End(_) => {
                visit(&path, None);
                path.pop();
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answer of moto 5.2, with the elements that have similar names.
    const ANSWER: &str = "<?xml version=\"1.0\"?><DescribeInstancesResponse \
        xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15\"><reservationSet><item><instancesSet>\
        <item><networkInterfaceSet><item><association><publicIp>54.1.2.3</publicIp></association>\
        <groupSet><item><groupId>sg-1</groupId></item></groupSet></item></networkInterfaceSet>\
        <metadataOptions><state>applied</state></metadataOptions><instanceId>i-1</instanceId>\
        <instanceState><code>16</code><name>running</name></instanceState><reason/>\
        <ipAddress>54.1.2.3</ipAddress><tagSet><item><key>Other</key><value>no</value></item>\
        <item><key>Name</key><value>mine-head</value></item></tagSet></item></instancesSet></item><item><instancesSet><item>\
        <instanceId>i-2</instanceId><instanceState><name>stopped</name></instanceState></item>\
        <item><instanceId>i-3</instanceId><instanceState><name>shutting-down</name>\
        </instanceState></item></instancesSet></item></reservationSet></DescribeInstancesResponse>";

    #[test]
    fn instances_of_all_reservations_are_found() {
        let found = instances(ANSWER, "us-east-1").unwrap();
        let facts: Vec<_> =
            found.iter().map(|it| (it.id.as_str(), it.state, it.public.as_deref())).collect();
        let names: Vec<_> = found.iter().map(|it| it.name.as_deref()).collect();
        assert_eq!(names, [Some("mine-head"), None, None]);
        assert_eq!(
            facts,
            [
                ("i-1", State::Running, Some("54.1.2.3")),
                ("i-2", State::Stopped, None),
                ("i-3", State::Terminated, None)
            ]
        );
    }

    #[test]
    fn user_data_is_the_value_of_its_attribute() {
        let answer = "<DescribeInstanceAttributeResponse><instanceId>i-1</instanceId><userData>\
                      <value>I2Ns</value></userData></DescribeInstanceAttributeResponse>";
        assert_eq!(user_data(answer).unwrap().as_deref(), Some("I2Ns"));
        assert_eq!(user_data("<a><userData/></a>").unwrap(), None);
    }

    #[test]
    fn no_answer_is_too_odd_to_be_read() {
        crate::changes::try_changes(ANSWER.as_bytes(), |answer| {
            _ = instances(&String::from_utf8_lossy(answer), "us-east-1");
        });
    }
}
