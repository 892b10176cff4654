//! Requests that a cloud serves, or that stop and start its clusters.

use serde_json::{Value, json};

use super::launching::task;
use super::{Body, FIVE_SECONDS};
use crate::infrastructure::cloud_of;
use crate::scenario::Call;
use crate::scenario::expect::{Expectation, Shape};

pub(in crate::scenario) static CHECK: Call = Call {
    step: "check",
    path: "/check",
    body: Body::Fields(
        |names| json!({"clouds": [cloud_of(&names.shared.infra)], "verbose": false, "workspace": null}),
    ),
    sdk_timeout: None,
    expect: Expectation { value: Shape::EnabledClouds, errors: &[] },
    prints: None,
};

/// List of the GPUs of one cloud. Without a cloud in the request, SkyPilot would fetch the catalogs
/// of all clouds from the internet.
pub(in crate::scenario) static SHOW_GPUS: Call = Call {
    step: "show_gpus",
    path: "/list_accelerators",
    body: Body::Fields(|names| {
        json!({
            "gpus_only": true,
            "name_filter": null,
            "region_filter": null,
            "quantity_filter": null,
            "clouds": cloud_of(&names.shared.infra),
            "all_regions": false,
            "require_price": true,
            "case_sensitive": false,
        })
    }),
    sdk_timeout: None,
    expect: Expectation { value: Shape::Entries, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static OPTIMIZE: Call = Call {
    step: "optimize",
    path: "/optimize",
    body: Body::Fields(|names| {
        let dag = task(cloud_of(&names.shared.infra), "echo hello");
        // 0 is `OptimizeTarget.COST`.
        json!({"dag": dag, "minimize": 0, "request_options": null})
    }),
    sdk_timeout: None,
    // The server keeps the optimized tasks to itself: the request returns nothing.
    expect: Expectation { value: Shape::Any, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static STORAGE_LS: Call = Call {
    step: "storage_ls",
    path: "/storage/ls",
    body: Body::None,
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static COST_REPORT: Call = Call {
    step: "cost_report",
    path: "/cost_report",
    body: Body::Fields(|_| {
        json!({
            "days": null,
            "cluster_hashes": null,
            "cluster_names": null,
            "dashboard_summary_response": false,
            "exclude_managed_clusters": false,
        })
    }),
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[] },
    prints: None,
};

/// List of the shared cluster, about which SkyPilot asks the cloud first.
pub(in crate::scenario) static CLUSTER_REFRESH: Call = Call {
    step: "cluster_refresh",
    path: "/status",
    // Another user has launched the shared cluster.
    body: Body::Fields(|names| refresh(&names.shared.cluster, true)),
    sdk_timeout: None,
    expect: Expectation { value: Shape::ClusterUp, errors: &[] },
    prints: None,
};

/// List of the user's own cluster, about which SkyPilot asks the cloud first.
pub(in crate::scenario) static OWN_REFRESH: Call = Call {
    step: "autostop_status",
    body: Body::Fields(|names| refresh(&names.own, false)),
    expect: Expectation { value: Shape::List, errors: &[] },
    ..CLUSTER_REFRESH
};

fn refresh(cluster: &str, all_users: bool) -> Value {
    json!({
        "cluster_names": [cluster],
        "refresh": "FORCE",
        "all_users": all_users,
        "include_credentials": false,
        "summary_response": false,
        "include_handle": true,
    })
}

pub(in crate::scenario) static STOP: Call = Call {
    step: "stop",
    path: "/stop",
    body: Body::Fields(|names| {
        json!({
            "cluster_name": names.own,
            "purge": false,
            "graceful": false,
            "graceful_timeout": null,
        })
    }),
    sdk_timeout: FIVE_SECONDS,
    expect: Expectation { value: Shape::Null, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static START: Call = Call {
    step: "start",
    path: "/start",
    body: Body::Fields(|names| {
        json!({
            "cluster_name": names.own,
            "idle_minutes_to_autostop": null,
            "wait_for": null,
            "retry_until_up": false,
            "down": false,
            "force": false,
        })
    }),
    sdk_timeout: FIVE_SECONDS,
    // SkyPilot's handle of the cluster.
    expect: Expectation { value: Shape::Any, errors: &[] },
    prints: None,
};

/// Autostop at the skylet's next look for idle clusters, which waits for jobs alone. (By default
/// the skylet waits for ssh sessions, too.)
pub(in crate::scenario) static AUTOSTOP: Call = Call {
    step: "autostop",
    path: "/autostop",
    body: Body::Fields(|names| {
        json!({
            "cluster_name": names.own,
            "idle_minutes": 0,
            "wait_for": "jobs",
            "down": false,
            "hook": null,
            "hook_timeout": null,
        })
    }),
    sdk_timeout: FIVE_SECONDS,
    expect: Expectation { value: Shape::Null, errors: &[] },
    prints: None,
};
