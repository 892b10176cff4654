//! Stand-in for the cloud API: answers as moto does, of instances that a test sets.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Port that the security group of all instances opens.
pub(super) const OPEN_PORT: u16 = 8091;

type Instances = Arc<Mutex<BTreeMap<String, (String, Option<String>)>>>;

pub(super) struct StandIn {
    pub(super) address: SocketAddr,
    instances: Instances,
}

impl StandIn {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let instances = Instances::default();
        let answered = Arc::clone(&instances);
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &answered);
            }
        });
        Self { address, instances }
    }

    /// Sets state and public address of an instance.
    pub(super) fn set(&self, id: &str, state: &str, address: Option<&str>) {
        let facts = (state.to_owned(), address.map(str::to_owned));
        self.instances.lock().unwrap().insert(id.to_owned(), facts);
    }
}

fn answer(mut stream: TcpStream, instances: &Instances) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let text = loop {
        let length = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let wanted: usize = length.map_or(0, |length| length.parse().unwrap());
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= wanted) {
            break text;
        }
    };
    let body = if text.contains("Action=DescribeInstances&") {
        assert!(text.contains("/us-east-1/ec2/aws4_request"), "{text}");
        describe(&text, instances)
    } else if text.contains("Action=DescribeSecurityGroups") {
        format!(
            "<R><securityGroupInfo><item><groupId>sg-1</groupId><ipPermissions><item><ipProtocol>tcp\
             </ipProtocol><fromPort>{OPEN_PORT}</fromPort><toPort>{OPEN_PORT}</toPort><ipRanges><item>\
             <cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissions></item>\
             </securityGroupInfo></R>"
        )
    } else if text.contains("Action=DescribeInstanceAttribute") {
        // #cloud-config with `ssh-ed25519 AAAA test`.
        "<R><userData><value>I2Nsb3VkLWNvbmZpZwpzc2gtZWQyNTUxOSBBQUFBIHRlc3QK</value></userData></R>"
            .to_owned()
    } else {
        "stand-in\n".to_owned()
    };
    // The node of a test may close first.
    _ = write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
}

fn describe(request: &str, instances: &Instances) -> String {
    let fields = |name: &'static str| {
        request.split('&').filter_map(move |field| field.strip_prefix(name)?.split_once('='))
    };
    let (_, filter) = fields("Filter.1.Name").next().unwrap();
    let values: Vec<&str> = fields("Filter.1.Value.").map(|(_, value)| value).collect();
    let mut answer = "<R><reservationSet><item><instancesSet>".to_owned();
    for (id, (state, address)) in &*instances.lock().unwrap() {
        let matches = match filter {
            "instance-id" => values.contains(&id.as_str()),
            "ip-address" => address.as_deref().is_some_and(|address| values.contains(&address)),
            _ => false,
        };
        if matches {
            let address = address.as_deref().unwrap_or_default();
            answer.push_str(&format!(
                "<item><instanceId>{id}</instanceId><instanceState><name>{state}</name>\
                 </instanceState><ipAddress>{address}</ipAddress><groupSet><item><groupId>sg-1\
                 </groupId></item></groupSet></item>"
            ));
        }
    }
    answer + "</instancesSet></item></reservationSet></R>"
}
