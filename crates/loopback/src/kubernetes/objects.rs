//! Nodes and pods of emulated Kubernetes, as Kubernetes 1.31 lists them.
//!
//! Executors parse these lists, so they have the fields of a real cluster's:
//! 5 to 9 kB for a node, 3 to 7 kB for a pod.

use serde_json::{Value, json};
use skyload::infrastructure::KubernetesSize;

use super::list::List;

/// Version that the API reports.
pub(super) const VERSION: &str = "v1.31.4";

/// Every fourth node has GPUs, so that lists of GPUs are not empty.
const NODES_PER_GPU_NODE: u32 = 4;
const GPUS: u32 = 8;

const CREATED: &str = "2026-01-05T09:00:00Z";

/// Namespaces that have pods.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "team-a", "team-b"];

/// List of all nodes.
pub(super) fn nodes(size: KubernetesSize) -> List {
    List::of("NodeList", (0..size.nodes).map(node))
}

/// List of all pods, spread evenly over the nodes.
pub(super) fn pods(size: KubernetesSize) -> List {
    List::of("PodList", (0..size.pods).map(|index| pod(index, index % size.nodes)))
}

/// Namespace of a pod, by the pod's number in the list.
pub(super) fn namespace_of(pod: usize) -> &'static str {
    NAMESPACES[pod % NAMESPACES.len()]
}

fn has_gpus(node: u32) -> bool {
    node.is_multiple_of(NODES_PER_GPU_NODE)
}

fn node_name(index: u32) -> String {
    format!("pool-{}-node-{index:05}.internal", if has_gpus(index) { "gpu" } else { "cpu" })
}

/// Address in the range of private networks.
fn address(network: u8, index: u32) -> String {
    let [.., high, low] = index.to_be_bytes();
    format!("10.{network}.{high}.{low}")
}

fn node(index: u32) -> Value {
    let name = node_name(index);
    let mut labels = json!({
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "standard-64",
        "topology.kubernetes.io/region": "region-1",
        "topology.kubernetes.io/zone": one_of(&["region-1-a", "region-1-b", "region-1-c"], index),
    });
    let mut capacity = json!({
        "cpu": "64", "ephemeral-storage": "512Gi", "hugepages-1Gi": "0", "hugepages-2Mi": "0",
        "memory": "263856796Ki", "pods": "110",
    });
    if has_gpus(index) {
        labels["skypilot.co/accelerator"] = json!("h100");
        labels["nvidia.com/gpu.present"] = json!("true");
        capacity["nvidia.com/gpu"] = json!(GPUS.to_string());
    }
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({ "type": kind, "status": status, "reason": reason,
                "message": format!("kubelet reports {reason}"),
                "lastHeartbeatTime": CREATED, "lastTransitionTime": CREATED })
    };
    json!({
        "metadata": {
            "name": name,
            "uid": uid(1, index),
            "resourceVersion": "104200",
            "creationTimestamp": CREATED,
            "labels": labels,
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
            "managedFields": managed_fields(&["kubelet", "kube-controller-manager"]),
        },
        "spec": { "podCIDR": format!("{}/24", address(244, index)),
                  "podCIDRs": [format!("{}/24", address(244, index))],
                  "providerID": format!("provider://region-1/{name}") },
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "addresses": [
                { "type": "InternalIP", "address": address(0, index) },
                { "type": "Hostname", "address": name },
            ],
            "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
            "nodeInfo": {
                "machineID": uid(2, index), "systemUUID": uid(3, index), "bootID": uid(4, index),
                "kernelVersion": "6.1.0-28-amd64", "osImage": "Debian GNU/Linux 12 (bookworm)",
                "containerRuntimeVersion": "containerd://1.7.24", "kubeletVersion": VERSION,
                "kubeProxyVersion": VERSION, "operatingSystem": "linux", "architecture": "amd64",
            },
            "images": (0..20).map(|image| json!({
                "names": [format!("images.internal/team/service-{image}@sha256:{}", hash(image)),
                          format!("images.internal/team/service-{image}:1.{image}.0")],
                "sizeBytes": 104_857_600,
            })).collect::<Vec<_>>(),
        },
    })
}

fn pod(index: u32, node: u32) -> Value {
    let name =
        format!("service-{}-{:08x}-{index:05}", index % 20, index.wrapping_mul(2_654_435_761));
    let mut requests = json!({ "cpu": "500m", "memory": "1Gi" });
    // One pod in ten of a node with GPUs takes one of them.
    if has_gpus(node) && index.is_multiple_of(40) {
        requests["nvidia.com/gpu"] = json!("1");
    }
    let probe = json!({ "httpGet": { "path": "/health", "port": 8080, "scheme": "HTTP" },
                        "initialDelaySeconds": 5, "timeoutSeconds": 1, "periodSeconds": 10,
                        "successThreshold": 1, "failureThreshold": 3 });
    let condition = |kind: &str| {
        json!({ "type": kind, "status": "True",
                                         "lastProbeTime": null, "lastTransitionTime": CREATED })
    };
    let image = format!("images.internal/team/service-{}:1.0.0", index % 20);
    json!({
        "metadata": {
            "name": name,
            "generateName": format!("service-{}-", index % 20),
            "namespace": namespace_of(index as usize),
            "uid": uid(5, index),
            "resourceVersion": "104200",
            "creationTimestamp": CREATED,
            "labels": { "app": format!("service-{}", index % 20), "pod-template-hash": "5d8f9c7b6d" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet",
                                  "name": format!("service-{}-5d8f9c7b6d", index % 20),
                                  "uid": uid(6, index % 20), "controller": true,
                                  "blockOwnerDeletion": true }],
            "managedFields": managed_fields(&["kube-controller-manager", "kubelet"]),
        },
        "spec": {
            "volumes": [{ "name": "token", "projected": { "defaultMode": 420, "sources": [
                { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } }] } }],
            "containers": [{
                "name": "main", "image": image,
                "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
                "env": (0..6).map(|number| json!({ "name": format!("SETTING_{number}"),
                                                   "value": "value" })).collect::<Vec<_>>(),
                "resources": { "limits": requests, "requests": requests },
                "volumeMounts": [{ "name": "token", "readOnly": true,
                                   "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount" }],
                "livenessProbe": probe, "readinessProbe": probe,
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
            }],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst", "serviceAccountName": "default",
            "nodeName": node_name(node), "securityContext": {},
            "schedulerName": "default-scheduler", "priority": 0, "enableServiceLinks": true,
            "tolerations": [{ "key": "node.kubernetes.io/not-ready", "operator": "Exists",
                              "effect": "NoExecute", "tolerationSeconds": 300 }],
        },
        "status": {
            "phase": "Running",
            "conditions": [condition("Initialized"), condition("Ready"),
                           condition("ContainersReady"), condition("PodScheduled")],
            "hostIP": address(0, node), "podIP": address(244, index),
            "podIPs": [{ "ip": address(244, index) }], "startTime": CREATED,
            "containerStatuses": [{
                "name": "main", "state": { "running": { "startedAt": CREATED } },
                "lastState": {}, "ready": true, "restartCount": 0, "started": true,
                "image": image, "imageID": format!("images.internal/team@sha256:{}", hash(index)),
                "containerID": format!("containerd://{}", hash(index)),
            }],
            "qosClass": "Guaranteed",
        },
    })
}

/// Field managers of an object, which are a third of its size in a real cluster.
fn managed_fields(managers: &[&str]) -> Value {
    let fields = ["app", "image", "name", "ports", "resources", "terminationMessagePath"];
    let fields: serde_json::Map<String, Value> = fields
        .iter()
        .map(|field| (format!("f:{field}"), json!({ ".": {}, "f:value": {} })))
        .collect();
    let manager = |name: &&str| {
        json!({ "manager": name, "operation": "Update", "apiVersion": "v1", "time": CREATED,
                "fieldsType": "FieldsV1",
                "fieldsV1": { "f:metadata": { "f:labels": fields }, "f:spec": fields } })
    };
    Value::Array(managers.iter().map(manager).collect())
}

/// Name for the object `index`, each in turn.
fn one_of(names: &'static [&str], index: u32) -> &'static str {
    names[index as usize % names.len()]
}

/// UID of the object `index` of one kind.
fn uid(kind: u8, index: u32) -> String {
    format!("{kind:08x}-0000-4000-8000-{index:012x}")
}

/// Hash that differs between numbers.
fn hash(number: u32) -> String {
    format!("{:064x}", u64::from(number) + 0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: KubernetesSize = KubernetesSize { nodes: 100, pods: 1000 };

    fn parsed(list: &List) -> Value {
        serde_json::from_slice(&list.text()).unwrap()
    }

    #[test]
    fn lists_have_the_size_of_the_cluster_and_objects_that_of_real_ones() {
        for (list, count, bytes) in
            [(nodes(SIZE), 100, 5_000..9_000), (pods(SIZE), 1000, 3_000..7_000)]
        {
            let list = parsed(&list);
            let items = list["items"].as_array().unwrap();
            assert_eq!(items.len(), count);
            let size = serde_json::to_string(&items[0]).unwrap().len();
            assert!(bytes.contains(&size), "{size}");
        }
    }

    #[test]
    fn every_pod_runs_on_a_node_and_names_are_unique() {
        let names = |list: &Value| -> std::collections::BTreeSet<String> {
            let items = list["items"].as_array().unwrap().iter();
            items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
        };
        let (nodes, pods) = (parsed(&nodes(SIZE)), parsed(&pods(SIZE)));
        let known = names(&nodes);
        assert_eq!((known.len(), names(&pods).len()), (100, 1000));
        for pod in pods["items"].as_array().unwrap() {
            assert!(known.contains(pod["spec"]["nodeName"].as_str().unwrap()));
        }
    }
}
