//! Answers of EC2's API, in XML.

use std::collections::{BTreeSet, HashMap};

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
            // Of the instance, or of its network interface.
            ([.., set, _, name], Some(text)) if set == "groupSet" && name == "groupId" => {
                fields.groups.insert(text);
            }
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

/// Ports that are open to all addresses, by the ids of the security groups in the answer to
/// `DescribeSecurityGroups`.
pub(super) fn open_ports(answer: &str) -> Result<HashMap<String, BTreeSet<u16>>> {
    let mut found = HashMap::new();
    let (mut id, mut ports, mut rule) = (None, BTreeSet::new(), Rule::default());
    visit(answer, |path, text| {
        let Some(at) = path.iter().position(|name| name == "securityGroupInfo") else { return };
        let names: Vec<&str> = path[at + 1..].iter().map(String::as_str).collect();
        match (names.as_slice(), text) {
            (["item"], None) => {
                found.extend(id.take().map(|id| (id, std::mem::take(&mut ports))));
            }
            (["item", "groupId"], Some(text)) => id = Some(text),
            (["item", "ipPermissions", "item"], None) => {
                ports.extend(std::mem::take(&mut rule).ports());
            }
            (["item", "ipPermissions", "item", rest @ ..], Some(text)) => match rest {
                ["ipProtocol"] => rule.is_tcp = text == "tcp",
                ["fromPort"] => rule.from = text.parse().ok(),
                ["toPort"] => rule.to = text.parse().ok(),
                ["ipRanges", "item", "cidrIp"] => rule.is_for_all |= text == "0.0.0.0/0",
                _ => {}
            },
            _ => {}
        }
    })?;
    Ok(found)
}

/// Rule of a security group for connections to instances.
#[derive(Default)]
struct Rule {
    is_tcp: bool,
    is_for_all: bool,
    from: Option<u16>,
    to: Option<u16>,
}

impl Rule {
    /// Open ports; those of a range only as far as a service may plausibly use them.
    fn ports(self) -> impl Iterator<Item = u16> {
        /// Port of ssh.
        const SSH: u16 = 22;
        /// Maximum number of ports of a rule that are opened.
        const MOST: usize = 32;
        let range = match self {
            Self { is_tcp: true, is_for_all: true, from: Some(from), to: Some(to) } => {
                Some(from..=to)
            }
            _ => None,
        };
        range.into_iter().flatten().filter(|port| *port != SSH).take(MOST)
    }
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
    groups: BTreeSet<String>,
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
        let (public, name, groups) = (self.public, self.name, self.groups);
        Some(Instance { id: self.id?, region: region.to_owned(), state, public, name, groups })
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
    fn ports_that_a_security_group_opens_to_all_are_found() {
        // As in moto 5.2.
        let answer = "<R><securityGroupInfo><item><groupId>sg-1</groupId><ipPermissionsEgress><item>\
            <ipProtocol>-1</ipProtocol><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges>\
            </item></ipPermissionsEgress><ipPermissions><item><ipProtocol>-1</ipProtocol><groups>\
            <item><groupId>sg-1</groupId></item></groups></item><item><ipProtocol>tcp</ipProtocol>\
            <fromPort>22</fromPort><toPort>22</toPort><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp>\
            </item></ipRanges></item><item><ipProtocol>tcp</ipProtocol><fromPort>8080</fromPort>\
            <toPort>8081</toPort><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item>\
            <item><ipProtocol>tcp</ipProtocol><fromPort>9000</fromPort><toPort>9000</toPort><ipRanges>\
            <item><cidrIp>10.0.0.0/8</cidrIp></item></ipRanges></item></ipPermissions></item>\
            <item><groupId>sg-2</groupId></item></securityGroupInfo></R>";
        let open = open_ports(answer).unwrap();
        assert_eq!(open["sg-1"], BTreeSet::from([8080, 8081]));
        assert!(open["sg-2"].is_empty());
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
