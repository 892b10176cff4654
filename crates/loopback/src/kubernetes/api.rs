//! API of emulated Kubernetes: the process `__kubernetes-api`, a daemon of the supervisor.
//!
//! Answers the requests of SkyPilot's control plane (`sky check`, lists of GPUs, the optimizer,
//! dry runs) with lists that never change. Everything else is refused as Kubernetes refuses an
//! unknown resource, so no pod can be created.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use skyload::infrastructure::KubernetesSize;

use super::list::List;
use super::objects;

/// Command of this program that runs the API.
pub const COMMAND: &str = "__kubernetes-api";

/// Objects of the cluster. Making the list of all pods, 4 MB for 1,000, for each request would take
/// CPU from the server under test.
struct Cluster {
    nodes: List,
    pods: List,
    /// List of no pod.
    no_pods: List,
}

/// Parameters of lists that are honoured.
#[derive(Deserialize)]
struct ListOptions {
    limit: Option<usize>,
    #[serde(rename = "labelSelector")]
    label_selector: Option<String>,
}

/// Serves the API on `port` of 127.0.0.1 until the process is ended.
pub fn run(port: u16, size: KubernetesSize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("starting the runtime of emulated Kubernetes")?.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("listening on {address}"))?;
        axum::serve(listener, router(size)).await.context("serving emulated Kubernetes")
    })
}

fn router(size: KubernetesSize) -> Router {
    let cluster = Cluster {
        nodes: objects::nodes(size),
        pods: objects::pods(size),
        no_pods: List::of("PodList", []),
    };
    Router::new()
        .route("/version", get(version))
        .route("/api/v1/nodes", get(list_nodes))
        .route("/api/v1/pods", get(list_pods))
        .route("/api/v1/namespaces/{namespace}/pods", get(list_pods_of))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(Arc::new(cluster))
}

async fn version() -> Response {
    json_text(
        json!({ "major": "1", "minor": "31", "gitVersion": objects::VERSION,
                "platform": "linux/amd64" })
        .to_string(),
    )
}

async fn list_nodes(State(cluster): State<Arc<Cluster>>) -> Response {
    json_text(cluster.nodes.text())
}

async fn list_pods(
    State(cluster): State<Arc<Cluster>>,
    Query(options): Query<ListOptions>,
) -> Response {
    match options.label_selector {
        // A selector is always one for pods of SkyPilot's clusters, and there are none.
        Some(_) => json_text(cluster.no_pods.text()),
        None => json_text(cluster.pods.text()),
    }
}

async fn list_pods_of(
    State(cluster): State<Arc<Cluster>>,
    Path(namespace): Path<String>,
    Query(options): Query<ListOptions>,
) -> Response {
    let is_here = |pod| objects::namespace_of(pod) == namespace;
    json_text(match options.label_selector {
        Some(_) => cluster.no_pods.text(),
        None => cluster.pods.text_of(is_here, options.limit.unwrap_or(usize::MAX)),
    })
}

/// Answer of Kubernetes to a request for a resource that it does not have.
async fn unknown(uri: Uri) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
        "message": format!("emulated Kubernetes has no {}", uri.path()), "code": 404,
    });
    let mut response = json_text(status.to_string());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn json_text(text: impl Into<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.into()).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SIZE: KubernetesSize = KubernetesSize { nodes: 3, pods: 8 };

    /// Status and body of the API's response to `GET path`.
    fn response(path: &str) -> (u16, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move { axum::serve(listener, router(SIZE)).await });
            let request = format!("GET {path} HTTP/1.0\r\n\r\n");
            let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
            connection.write_all(request.as_bytes()).await.unwrap();
            let mut response = String::new();
            connection.read_to_string(&mut response).await.unwrap();
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let body = serde_json::from_str(body).unwrap();
            server.abort();
            (status, body)
        })
    }

    fn count(list: &Value) -> usize {
        list["items"].as_array().unwrap().len()
    }

    #[test]
    fn lists_are_limited_to_a_namespace_and_a_number() {
        let (_, nodes) = response("/api/v1/nodes");
        assert_eq!((count(&nodes), nodes["kind"].as_str()), (3, Some("NodeList")));
        let (_, all) = response("/api/v1/pods?fieldSelector=status.phase!%3DFailed");
        assert_eq!(count(&all), 8);
        let (_, default) = response("/api/v1/namespaces/default/pods");
        assert_eq!(count(&default), 2);
        let (_, one) = response("/api/v1/namespaces/default/pods?limit=1");
        assert_eq!(count(&one), 1);
    }

    #[test]
    fn no_cluster_of_skypilot_is_found() {
        let selector = "labelSelector=skypilot-cluster%3Dmine";
        for path in ["/api/v1/pods", "/api/v1/namespaces/default/pods"] {
            assert_eq!(count(&response(&format!("{path}?{selector}")).1), 0);
        }
    }

    #[test]
    fn an_unknown_resource_is_an_error_of_kubernetes() {
        let (status, body) = response("/apis/apps/v1/deployments");
        assert_eq!((status, body["kind"].as_str()), (404, Some("Status")));
        assert!(body["message"].as_str().unwrap().ends_with("/apis/apps/v1/deployments"));
    }
}
