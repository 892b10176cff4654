//! Tests of catalogs with a stand-in for SkyPilot's constants and a server on loopback.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use rstest::rstest;

use super::*;
use crate::testing::script;

/// SkyPilot whose constants name the server at `url` as the source of catalogs. The Python is
/// the machine's, with a package `sky` of the test.
fn sky_with(url: &str, folder: &Path) -> SkyPilot {
    let package = folder.join("packages/sky/skylet");
    fs::create_dir_all(&package).unwrap();
    let constants =
        format!("CATALOG_SCHEMA_VERSION = 'v8'\nHOSTED_CATALOG_DIR_URL = '{url}/catalogs'\n");
    fs::write(package.join("constants.py"), constants).unwrap();
    fs::write(package.join("../__init__.py"), "").unwrap();
    name_images(folder, ["custom-cpu-ubuntu"], ["custom-cpu-ubuntu-2204-v1"]);
    let python = folder.join("python");
    let packages = folder.join("packages").display().to_string();
    script(&python, &format!("PYTHONPATH='{packages}' exec python3 \"$@\""));
    SkyPilot {
        program: folder.join("sky"),
        python: Some(python),
        version: "0.14.1".to_owned(),
        commit: None,
        resolved_as_of: None,
    }
}

/// Writes the modules in which SkyPilot names its images, as SkyPilot does.
fn name_images<const N: usize>(folder: &Path, aws: [&str; N], kubernetes: [&str; 1]) {
    let clouds = folder.join("packages/sky/clouds");
    fs::create_dir_all(&clouds).unwrap();
    let is_image = "def is_image(text):\n    return text.startswith('skypilot:')\n";
    let of_aws = aws.map(|name| format!("_{} = 'skypilot:{name}'\n", name.replace('-', "_")));
    let of_kubernetes = kubernetes.map(|name| format!("    IMAGE_CPU = 'skypilot:{name}'\n"));
    // A module that fails when it is imported.
    let aws = format!("import boto3_of_test\n# 'skypilot:old'\n{}{is_image}", of_aws.concat());
    fs::write(clouds.join("aws.py"), aws).unwrap();
    let kubernetes = format!("class Kubernetes:\n{}", of_kubernetes.concat());
    fs::write(clouds.join("kubernetes.py"), kubernetes).unwrap();
}

/// Names of images in a file of a catalog.
fn tags(catalog: &Catalog, file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(catalog.home_folder().from.join(file)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

/// Server on loopback that answers every request by its path, and returns its URL and the paths
/// that were asked for.
fn serve(answer: fn(&str) -> Option<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            // Up to the empty line after the headers.
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let path = first.split(' ').nth(1).unwrap().to_owned();
            let (status, body) = match answer(&path) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", String::new()),
            };
            let length = body.len();
            _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            if sender.send(path).is_err() {
                return;
            }
        }
    });
    (url, asked)
}

fn prepare(sky: &SkyPilot, state: &Path) -> Catalog {
    Catalog::prepare(sky, state, None, Progress::new()).unwrap()
}

#[test]
fn public_catalogs_are_downloaded_once_with_the_hashes_that_skypilot_compares() {
    let folder = tempfile::tempdir().unwrap();
    let (url, asked) = serve(|path| match path {
        "/catalogs/v8/aws/vms.csv" => Some("InstanceType\nm6i.large\nm6i.xlarge\n".to_owned()),
        // Not part of earlier formats.
        "/catalogs/v8/common/metadata.csv" => None,
        _ => Some("Column\n".to_owned()),
    });
    let sky = sky_with(&url, folder.path());
    let state = folder.path().join("state");
    let catalog = prepare(&sky, &state);
    assert_eq!(catalog.facts.source, CatalogSource::Downloaded);
    assert_eq!((catalog.facts.rows, catalog.facts.schema.as_str()), (2, "v8"));
    assert!(catalog.facts.date.is_some());
    let HomeFolder { from, to } = catalog.home_folder();
    assert_eq!(to, Path::new(".sky/catalogs/v8"));
    let md5 = fs::read_to_string(from.join(".meta/aws/images.csv.md5")).unwrap();
    // By `printf 'Column\n' | md5sum`.
    assert_eq!(md5, "7753d3390b0c9c6b493e0786e3ab597d");
    assert!(!from.join("common/metadata.csv").exists());
    assert_eq!(asked.try_iter().count(), 6);

    assert_eq!(prepare(&sky, &state).facts, catalog.facts);
    assert_eq!(asked.try_iter().count(), 0);
}

#[test]
fn without_a_network_generated_catalogs_are_used_and_named_so() {
    let folder = tempfile::tempdir().unwrap();
    // A port of which nothing listens.
    let sky = sky_with("http://127.0.0.1:9", folder.path());
    let state = folder.path().join("state");
    let catalog = prepare(&sky, &state);
    assert_eq!(catalog.facts.source, CatalogSource::Generated);
    assert_eq!(catalog.facts.date, None);
    assert!(catalog.facts.rows > 45_000);
    let folder = catalog.home_folder().from;
    assert!(!folder.join(".meta").exists(), "SkyPilot would download them again");
    assert!(files::NAMES.iter().all(|name| folder.join(name).is_file()));
    assert_eq!(prepare(&sky, &state).facts, catalog.facts);
}

#[rstest]
#[case::release_0_14_1(
    ["custom-cpu-ubuntu", "custom-gpu-ubuntu-cuda13"],
    "custom-cpu-ubuntu-2204-v1"
)]
#[case::nightly_of_2026_11_27(
    ["custom-cpu-ubuntu-ray256", "custom-gpu-ubuntu-cuda13-ray256"],
    "custom-cpu-ubuntu-2204-v2"
)]
fn generated_catalogs_have_the_images_that_this_skypilot_names(
    #[case] aws: [&str; 2],
    #[case] kubernetes: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let sky = sky_with("http://127.0.0.1:9", folder.path());
    name_images(folder.path(), aws, [kubernetes]);
    let catalog = prepare(&sky, &folder.path().join("state"));
    let expected = |names: &[&str]| names.iter().map(|name| format!("skypilot:{name}")).collect();
    assert_eq!(tags(&catalog, "aws/images.csv"), expected(&aws));
    assert_eq!(tags(&catalog, "kubernetes/images.csv"), expected(&[kubernetes]));
}

#[test]
fn releases_with_different_images_have_different_generated_catalogs() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let of_old = prepare(&sky_with("http://127.0.0.1:9", &old), &state);
    let sky = sky_with("http://127.0.0.1:9", &new);
    name_images(&new, ["custom-cpu-ubuntu-ray256"], ["custom-cpu-ubuntu-2204-v2"]);
    let of_new = prepare(&sky, &state);
    let only = |name: &str| BTreeSet::from([format!("skypilot:{name}")]);
    assert_eq!(tags(&of_old, "aws/images.csv"), only("custom-cpu-ubuntu"));
    assert_eq!(tags(&of_new, "aws/images.csv"), only("custom-cpu-ubuntu-ray256"));
}

#[test]
fn a_skypilot_whose_images_are_not_found_gets_no_generated_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let sky = sky_with("http://127.0.0.1:9", folder.path());
    name_images(folder.path(), [], ["custom-cpu-ubuntu-2204-v1"]);
    let state = folder.path().join("state");
    let error = Catalog::prepare(&sky, &state, None, Progress::new()).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("no image of AWS found in this SkyPilot's `sky/clouds/aws.py`"),
        "{error}"
    );
}

#[test]
fn a_server_without_awss_catalog_counts_as_a_failed_download() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _asked) = serve(|_| None);
    let sky = sky_with(&url, folder.path());
    let catalog = prepare(&sky, &folder.path().join("state"));
    assert_eq!(catalog.facts.source, CatalogSource::Generated);
}

#[test]
fn a_given_folder_is_used_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (sky, state) = (sky_with("http://127.0.0.1:9", folder.path()), folder.path().join("state"));
    let given = folder.path().join("given");
    fs::create_dir_all(given.join("aws")).unwrap();
    fs::write(given.join("aws/vms.csv"), "InstanceType\nm6i.large\n").unwrap();
    let catalog = Catalog::prepare(&sky, &state, Some(&given), Progress::new()).unwrap();
    assert_eq!((catalog.facts.source, catalog.facts.rows), (CatalogSource::Given, 1));
    assert_eq!(catalog.home_folder().from, given.canonicalize().unwrap());
}
