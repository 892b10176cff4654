//! EC2 instances, by the cloud API on this machine.
//!
//! The emulator checks no signatures; it takes service and region from the `Authorization`
//! header.

mod answer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Time limit for connecting and for each part of an answer.
const WITHIN: Duration = Duration::from_secs(30);

/// State of an instance, as far as its node is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Stopped,
    Terminated,
}

/// EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) region: String,
    pub(super) state: State,
    /// Public address, which changes when a stopped instance starts; `None` for a private one.
    pub(super) public: Option<String>,
    /// Value of the tag `Name`; `None` without one.
    pub(super) name: Option<String>,
    /// Ids of security groups.
    pub(super) groups: BTreeSet<String>,
}

/// Cloud API on this machine.
#[derive(Clone, Debug)]
pub(super) struct Ec2 {
    pub(super) api: SocketAddr,
    pub(super) regions: Vec<String>,
}

impl Ec2 {
    /// Terminates the instances whose names contain `text`, and returns the names.
    pub(super) fn terminate_named(&self, text: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for instance in self.living()? {
            let Some(name) = instance.name.filter(|name| name.contains(text)) else { continue };
            let id = [("InstanceId.1", instance.id.as_str())];
            self.call(&instance.region, "TerminateInstances", &id)?;
            names.push(name);
        }
        Ok(names)
    }

    /// Instances that are not terminated.
    pub(super) fn living(&self) -> Result<Vec<Instance>> {
        self.instances("instance-state-name", &["pending", "running", "stopping", "stopped"])
    }

    /// Instance with a public or private address; `None` if there is none.
    pub(super) fn with_address(&self, address: &str) -> Result<Option<Instance>> {
        for name in ["ip-address", "private-ip-address"] {
            // A terminated instance has no address, but a private one may be assigned again.
            let found = self.instances(name, &[address])?;
            let usable = found.into_iter().find(|it| it.state != State::Terminated);
            if usable.is_some() {
                return Ok(usable);
            }
        }
        Ok(None)
    }

    /// Instances with these ids. Those that the API no longer knows are missing.
    pub(super) fn with_ids(&self, ids: &[&str]) -> Result<Vec<Instance>> {
        self.instances("instance-id", ids)
    }

    /// Ports that the security groups of `instances` open to all addresses, by the groups' ids.
    /// The port of ssh is none: connections to sshd come through ssh's `ProxyCommand`.
    pub(super) fn open_ports<'a>(
        &self,
        instances: impl IntoIterator<Item = &'a Instance>,
    ) -> Result<HashMap<String, BTreeSet<u16>>> {
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for instance in instances {
            let ids = instance.groups.iter().map(String::as_str);
            groups.entry(&instance.region).or_default().extend(ids);
        }
        let mut open = HashMap::new();
        for (region, ids) in groups.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            let ids: Vec<&str> = ids.into_iter().collect();
            let answer = self.filtered(region, "DescribeSecurityGroups", "group-id", &ids)?;
            open.extend(answer::open_ports(&answer)?);
        }
        Ok(open)
    }

    /// Public keys of SkyPilot in the user data of an instance, in the format of sshd's
    /// `authorized_keys`.
    pub(super) fn public_keys(&self, instance: &Instance) -> Result<String> {
        let parameters = [("InstanceId", instance.id.as_str()), ("Attribute", "userData")];
        let answer = self.call(&instance.region, "DescribeInstanceAttribute", &parameters)?;
        let data = answer::user_data(&answer)?.unwrap_or_default();
        let data = BASE64.decode(data.trim()).context("decoding an instance's user data")?;
        let keys = public_keys_in(&String::from_utf8_lossy(&data));
        ensure!(!keys.is_empty(), "no public key in the user data of instance {}", instance.id);
        Ok(keys)
    }

    fn instances(&self, filter: &str, values: &[&str]) -> Result<Vec<Instance>> {
        let mut instances = Vec::new();
        for region in &self.regions {
            let answer = self.filtered(region, "DescribeInstances", filter, values)?;
            instances.extend(answer::instances(&answer, region)?);
        }
        Ok(instances)
    }

    /// Answer to a request for the resources that a filter lets through.
    fn filtered(
        &self,
        region: &str,
        action: &str,
        filter: &str,
        values: &[&str],
    ) -> Result<String> {
        let names: Vec<String> =
            (1..=values.len()).map(|number| format!("Filter.1.Value.{number}")).collect();
        let mut parameters = vec![("Filter.1.Name", filter)];
        parameters.extend(names.iter().map(String::as_str).zip(values.iter().copied()));
        self.call(region, action, &parameters)
    }

    /// Answer to a request, in XML.
    fn call(&self, region: &str, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let calling = || format!("calling {action} of the cloud API at {}", self.api);
        let mut body = format!("Action={action}&Version=2016-11-15");
        for (name, value) in parameters {
            // Values are written as they are, and come from SkyPilot's command line.
            let is_plain = value.bytes().all(|c| c.is_ascii_alphanumeric() || b".-:".contains(&c));
            ensure!(is_plain, "expected an address or a name, got `{value}`");
            body.push_str(&format!("&{name}={value}"));
        }
        let request = format!(
            "POST / HTTP/1.0\r\nHost: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=skyload/20260101/{region}/ec2/aws4_request, SignedHeaders=host, \
             Signature=none\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.api,
            body.len()
        );
        let answer = exchange(self.api, &request).with_context(calling)?;
        let (head, body) = answer.split_once("\r\n\r\n").with_context(calling)?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            let cause = body.lines().last().unwrap_or_default();
            return Err(anyhow::anyhow!("HTTP status {status}: {cause}")).with_context(calling);
        }
        Ok(body.to_owned())
    }
}

/// Sends a request and reads until the end of the connection.
fn exchange(api: SocketAddr, request: &str) -> Result<String> {
    if !api.ip().is_loopback() {
        bail!("expected an address on loopback, got {api}");
    }
    let mut stream = TcpStream::connect_timeout(&api, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Public keys in cloud-init's user data, one in each line.
fn public_keys_in(data: &str) -> String {
    let lines = data.lines().map(|line| line.trim().trim_start_matches("- ").trim_matches('"'));
    let is_key = |line: &&str| {
        (line.starts_with("ssh-") || line.starts_with("ecdsa-")) && line.contains(' ')
    };
    lines.filter(is_key).map(|key| format!("{key}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_the_user_data_that_skypilot_writes() {
        let data = "#cloud-config\nusers:\n  - name: ubuntu\n    shell: /bin/bash\n    \
                    ssh_authorized_keys:\n      - |-\n        ssh-rsa AAAAB3Nza me@host\n      - \
                    ssh-ed25519 AAAAC3Nza\nwrite_files:\n  - path: /etc/ssh-keys\n";
        assert_eq!(public_keys_in(data), "ssh-rsa AAAAB3Nza me@host\nssh-ed25519 AAAAC3Nza\n");
    }

    #[test]
    fn a_request_leaves_neither_the_machine_nor_its_form() {
        let ec2 = |api: &str| Ec2 { api: api.parse().unwrap(), regions: vec!["us-east-1".into()] };
        let error = ec2("192.0.2.1:80").with_address("10.0.0.1").unwrap_err();
        assert!(format!("{error:#}").contains("expected an address on loopback"), "{error:#}");
        let error = ec2("127.0.0.1:1").with_address("1&Action=RunInstances").unwrap_err();
        assert!(error.to_string().contains("expected an address or a name"), "{error:#}");
    }
}
