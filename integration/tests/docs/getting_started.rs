//! The pages of the first steps: their commands, run as they stand, and what these print.

use std::fs;
use std::process::Command;

use lab::address::UPSTREAM_V4;
use lab::{Lab, Version, workspace};
use serde_json::Value;

use crate::session::{OWN_DIRECTORIES, OWN_HOST, Session, host, own_host};
use lab::markdown::Document;

const HOST: &str = "docs/getting-started/host.md";
const POD: &str = "docs/getting-started/kubernetes.md";

/// What is left of the host is what it was before.
const NOTHING_IS_LEFT: &str = "\
ls /run/netns /tmp
iptables-save | grep -e '^-A'
ip rule | grep 100
ip route show table 100
ip -brief address show scope global";

#[test]
fn a_host() {
    Session::new(OWN_HOST)
        .page(HOST, &["redirect", "tproxy", "clean"])
        .then(NOTHING_IS_LEFT, "/run/netns:\n\n/tmp:\n")
        .run(&mut own_host());
}

/// The gateway of the lab stands for the pod, the upstream for the server; `kubectl` runs there what
/// it is to run in a container.
#[test]
fn a_pod() {
    let objects = pod();
    let find = |kind: &str, name: &str| {
        let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        objects.iter().find(is_it).expect("an object of the page")
    };
    let pod = &find("Pod", "example")["spec"];
    let [redirect, envoy] = [0, 1].map(|number| &pod["initContainers"][number]);
    let server = &find("Pod", "server")["spec"]["containers"][0];
    let arguments = envoy["args"].as_array().expect("arguments").iter();
    let arguments: Vec<&str> = arguments.filter_map(Value::as_str).collect();
    let lab = Lab::new();
    let before = format!(
        "\
{OWN_DIRECTORIES}
mkdir /tmp/first /tmp/server
cat > /tmp/envoy.yaml <<'END_OF_CONFIG'
{config}END_OF_CONFIG
export ENVOY_DYNAMIC_MODULES_SEARCH_PATH={modules}
setpriv --reuid {user} --regid {user} --clear-groups {command} >/tmp/envoy.log 2>&1 &
sh -ec '{rules}'
nsenter --net={upstream} -- sh -c '{serve}' >/tmp/server.log 2>&1 &
kubectl() {{
  case \"$1 $2 $3 $4\" in
    'exec example --container app') shift 5; \"$@\" ;;
    'logs example --container envoy') cat /tmp/envoy.log ;;
    *) echo \"kubectl $*: not in this lab\" ;;
  esac
}}
server={UPSTREAM_V4}
ip route add default via $server
curl --silent --output /dev/null --retry 20 --retry-delay 1 --retry-connrefused 127.0.0.1:9901/ready
nsenter --net={upstream} -- curl --silent --output /dev/null --retry 20 --retry-delay 1 \
  --retry-connrefused http://$server:8080/hello",
        config = text(&find("ConfigMap", "example-envoy")["data"]["envoy.yaml"]),
        modules = workspace().join("target/release").display(),
        user = envoy["securityContext"]["runAsUser"],
        command = arguments.join(" ").replace("/etc/envoy/", "/tmp/"),
        rules = text(&redirect["args"][0]),
        serve = text(&server["args"][0]),
        upstream = lab.upstream.path().display(),
    );
    Session::new(&before)
        .page(POD, &["pod"])
        .run(&mut host(&lab.gateway));
}

/// Needs a Docker engine, and the images of the page: `scripts/compose-page-test` sees to both.
#[test]
#[ignore = "scripts/compose-page-test runs it"]
fn compose() {
    Session::new(
        "\
docker compose version >/dev/null 2>&1 || docker() {
  case $1 in
    compose) shift; docker-compose \"$@\" ;;
    *) command docker \"$@\" ;;
  esac
}
[ ! -e /tmp/first ] || { echo '/tmp/first is there'; exit 1; }
trap '[ ! -e /tmp/first ] || { cd /tmp/first && docker compose down --timeout 0; rm -r /tmp/first; }' EXIT",
    )
    .page("docs/getting-started/compose.md", &["compose"])
    .run(&mut Command::new("bash"));
}

/// The objects that the page shows.
fn pod() -> Vec<Value> {
    let blocks = Document::read(POD).blocks().into_iter();
    let mut files = blocks.filter(|block| block.info.starts_with("yml "));
    let file = files.next().expect("a file of objects");
    serde_saphyr::from_multiple(&file.code).expect("YAML")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The picture in the README shows what the demo prints, but for times and ports.
#[test]
fn the_picture_of_the_demo() {
    let demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .env("ENVOY_VERSION", Version::V1_40.to_string())
        .output()
        .expect("run the demo");
    let printed = String::from_utf8(demo.stdout).expect("UTF-8");
    let picture = workspace().join("docs/pictures/demo.svg");
    let picture = fs::read_to_string(picture).expect("the picture");
    let texts = picture.lines().filter(|line| line.starts_with("<text"));
    let drawn: Vec<String> = texts.skip(1).map(|line| shape(&untagged(line))).collect();
    let printed: Vec<String> = printed.trim_end().lines().map(shape).collect();
    assert_eq!(drawn, printed, "run scripts/demo-picture");
}

/// A line of SVG as text.
fn untagged(line: &str) -> String {
    let parts = line
        .split('<')
        .filter_map(|part| Some(part.split_once('>')?.1));
    let text: String = parts.collect();
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&#x27;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// A line without what differs: the time in front of a step, the client's port.
fn shape(line: &str) -> String {
    let line = line.trim();
    if let Some((time, step)) = line.split_once(" s  ")
        && time.parse::<f32>().is_ok()
    {
        return step.to_owned();
    }
    match line.split_once(" at ") {
        Some((client, listener)) if client.starts_with("connection from ") => {
            let (ip, _port) = client.rsplit_once(':').expect("IP:port");
            format!("{ip} at {listener}")
        }
        _ => line.to_owned(),
    }
}

/// The page of the counters shows what the first steps on a host have counted.
#[test]
fn counters() {
    Session::new(OWN_HOST)
        .page(HOST, &["redirect"])
        .page("docs/stats.md", &["stats"])
        .run(&mut own_host());
}
