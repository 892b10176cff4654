//! Made-up catalogs of the public ones' shape and size: an executor that reads them takes as
//! much memory.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use skyload::hash::sha256;

use super::files::NAMES;

/// Regions with the prefix of their zones' ids and the number of zones, as AWS has them: SkyPilot
/// asks the account for the names of zones by their ids.
const REGIONS: [(&str, &str, u32); 16] = [
    ("us-east-1", "use1", 6),
    ("us-east-2", "use2", 3),
    ("us-west-1", "usw1", 2),
    ("us-west-2", "usw2", 4),
    ("eu-west-1", "euw1", 3),
    ("eu-west-2", "euw2", 3),
    ("eu-west-3", "euw3", 3),
    ("eu-central-1", "euc1", 3),
    ("eu-north-1", "eun1", 3),
    ("ap-northeast-1", "apne1", 3),
    ("ap-northeast-2", "apne2", 4),
    ("ap-southeast-1", "apse1", 3),
    ("ap-southeast-2", "apse2", 3),
    ("ap-south-1", "aps1", 3),
    ("ca-central-1", "cac1", 3),
    ("sa-east-1", "sae1", 3),
];

/// Kinds of instances with their GiB of memory for each CPU.
const KINDS: [(&str, u32); 7] =
    [("c", 2), ("m", 4), ("r", 8), ("t", 4), ("x", 16), ("i", 8), ("d", 8)];
const GENERATIONS: std::ops::RangeInclusive<u32> = 1..=8;
const SUFFIXES: [&str; 4] = ["", "a", "i", "n"];
const SIZES: [(&str, u32); 4] = [("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16)];

/// Instance type with GPUs.
struct GpuOffer {
    name: &'static str,
    gpu: &'static str,
    count: u32,
    /// Memory of one GPU, in GiB.
    gpu_memory: u32,
    cpus: u32,
    /// Memory of the instance, in GiB.
    memory: u32,
    price: f64,
}

const GPUS: [GpuOffer; 3] = [
    GpuOffer {
        name: "p4d.24xlarge",
        gpu: "A100",
        count: 8,
        gpu_memory: 40,
        cpus: 96,
        memory: 1152,
        price: 32.77,
    },
    GpuOffer {
        name: "g5.xlarge",
        gpu: "A10G",
        count: 1,
        gpu_memory: 24,
        cpus: 4,
        memory: 16,
        price: 1.006,
    },
    GpuOffer {
        name: "p5.48xlarge",
        gpu: "H100",
        count: 8,
        gpu_memory: 80,
        cpus: 192,
        memory: 2048,
        price: 98.3,
    },
];

/// Image that moto knows.
const IMAGE: &str = "ami-12c6146b";

/// Names of the images that a SkyPilot looks for, such as `skypilot:custom-cpu-ubuntu`: they
/// differ between its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Images {
    pub(super) aws: Vec<String>,
    pub(super) kubernetes: Vec<String>,
}

impl Images {
    /// Name of a set of images, for the folder of the catalogs generated with it.
    pub(super) fn key(&self) -> String {
        let all = format!("{}\n\n{}", self.aws.join("\n"), self.kubernetes.join("\n"));
        sha256(all.as_bytes()).chars().take(8).collect()
    }
}

/// Writes all catalogs into `folder`, without the hashes by which SkyPilot would see them as
/// outdated downloads.
pub(super) fn write(folder: &Path, images: &Images) -> Result<()> {
    ensure!(!images.aws.is_empty(), "no image of AWS found in this SkyPilot's `sky/clouds/aws.py`");
    let contents = [
        aws_offers(),
        aws_images(&images.aws),
        // Without a quota's code for an instance type, SkyPilot asks for no quota.
        "InstanceType,OnDemandInstanceCode,SpotInstanceCode\n".to_owned(),
        accelerators(),
        gpus(),
        kubernetes_images(&images.kubernetes),
    ];
    for (name, content) in NAMES.iter().zip(contents) {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .with_context(|| format!("writing `{}`", path.display()))?;
    }
    Ok(())
}

/// Region and id of each zone.
fn zones() -> impl Iterator<Item = (&'static str, String)> {
    REGIONS.into_iter().flat_map(|(region, prefix, count)| {
        (1..=count).map(move |number| (region, format!("{prefix}-az{number}")))
    })
}

// Writing to a string does not fail.
fn aws_offers() -> String {
    let mut text = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,\
                    SpotPrice,Region,AvailabilityZone,Arch\n"
        .to_owned();
    let mut add = |middle: String, price: f64| {
        for (region, zone) in zones() {
            let spot = price * 0.35;
            _ = writeln!(text, "{middle},{price:.4},{spot:.6},{region},{zone},x86_64");
        }
    };
    for (kind, ratio) in KINDS {
        for generation in GENERATIONS {
            for (suffix, (size, cpus)) in
                SUFFIXES.iter().flat_map(|suffix| SIZES.map(|size| (suffix, size)))
            {
                let memory = cpus * ratio;
                let price = f64::from(cpus) * 0.0481;
                add(format!("{kind}{generation}{suffix}.{size},,,{cpus}.0,{memory}.0,"), price);
            }
        }
    }
    for offer in GPUS {
        let GpuOffer { name, gpu, count, gpu_memory, cpus, memory, price } = offer;
        let (each, all) = (gpu_memory * 1024, gpu_memory * 1024 * count);
        // A literal of Python, as AWS describes GPUs.
        let info = format!(
            "{{'Gpus': [{{'Name': '{gpu}', 'Manufacturer': 'NVIDIA', 'Count': {count}, \
             'MemoryInfo': {{'SizeInMiB': {each}}}}}], 'TotalGpuMemoryInMiB': {all}}}"
        );
        add(format!("{name},{gpu},{count}.0,{cpus}.0,{memory}.0,\"{info}\""), price);
    }
    text
}

fn aws_images(tags: &[String]) -> String {
    let mut text = "Tag,Region,OS,OSVersion,ImageId,CreationDate\n".to_owned();
    for tag in tags {
        for (region, ..) in REGIONS {
            _ = writeln!(text, "{tag},{region},ubuntu,22.04,{IMAGE},20240101");
        }
    }
    text
}

fn accelerators() -> String {
    let names = GPUS.map(|offer| format!("{},\"['AWS']\"\n", offer.gpu));
    format!("AcceleratorName,Clouds\n{}", names.concat())
}

fn gpus() -> String {
    let gpus = GPUS.map(|offer| format!("{},{},NVIDIA\n", offer.gpu, offer.gpu_memory));
    format!("GPU,MemoryGB,Manufacturer\n{}", gpus.concat())
}

fn kubernetes_images(tags: &[String]) -> String {
    let images = tags.iter().map(|tag| {
        let name = tag.trim_start_matches("skypilot:");
        format!("{tag},,ubuntu,22.04,docker:skypilot/{name},20240101\n")
    });
    format!("Tag,Region,OS,OSVersion,ImageId,CreationDate\n{}", images.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_offers_have_the_public_ones_size_and_the_default_instance_type() {
        let text = aws_offers();
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert!((45_000..47_000).contains(&rows.len()), "{}", rows.len());
        let expected = "m6i.large,,,2.0,8.0,,0.0962,0.033670,us-east-1,use1-az1,x86_64";
        assert!(rows.contains(&expected));
    }

    #[test]
    fn every_generated_row_has_all_columns_as_python_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let names = |name: &str| vec![format!("skypilot:{name}")];
        let images = Images { aws: names("cpu-ubuntu"), kubernetes: names("cpu-ubuntu-2204") };
        write(folder.path(), &images).unwrap();
        let check = "import ast, csv, sys
for name in sys.argv[1:]:
    header, *rows = csv.reader(open(name))
    assert all(len(row) == len(header) for row in rows), name
    for row in (dict(zip(header, row)) for row in rows):
        if row.get('GpuInfo'):
            assert ast.literal_eval(row['GpuInfo'])['Gpus'][0]['MemoryInfo']['SizeInMiB'] > 0
        if row.get('Clouds'):
            assert ast.literal_eval(row['Clouds']) == ['AWS']";
        let output = std::process::Command::new("python3")
            .args(["-c", check])
            .args(NAMES)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
