//! The containers that `docker-compose.yml` describes: locked down, started with settings that exist, rehearsed as processes.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::service::{Service, dossier};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn services() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    file["services"].as_object().unwrap().iter().map(|(name, service)| (name.clone(), service.clone())).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn every_container_is_locked_down_and_pinned() {
    for (name, service) in services() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        assert!(service["tmpfs"].is_array(), "{name}");
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
        let (_, tag) = service["image"].as_str().unwrap().rsplit_once(':').unwrap();
        assert!(tag != "latest" && tag.contains('.'), "{name} is not pinned: {tag}");
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port} beyond this machine");
        }
        let user = service["user"].as_str().unwrap_or_default();
        assert!(user.starts_with("10001") || tag.ends_with("-unprivileged"), "{name} runs as root");
        let secret = |(key, value): (&String, &Value)| key.ends_with("KEY") && !value.as_str().unwrap_or_default().is_empty();
        assert!(!service["environment"].as_object().unwrap().iter().any(secret), "{name} has a key in its environment");
    }
    for image in std::fs::read_to_string(root().join("config/Dockerfile")).unwrap().lines().filter(|l| l.starts_with("FROM ")) {
        let tag = image.split_whitespace().nth(1).unwrap().rsplit_once(':').unwrap().1;
        assert!(tag.contains('.') && tag != "latest", "{image}");
    }
}

#[test]
fn one_container_by_default_and_a_store_beside_it_in_the_profile_scale() {
    let of = |profile: &str| -> Vec<String> {
        services().into_iter().filter(|(_, s)| texts(&s["profiles"]) == [profile]).map(|(name, _)| name).collect()
    };
    assert_eq!((of("laptop"), of("scale")), (vec!["dossier".into()], vec!["dossier-scale".into(), "qdrant".into()]));
    assert!(std::fs::read_to_string(root().join(".env")).unwrap().contains("COMPOSE_PROFILES=laptop\n"));
    let services = services();
    let url = services["dossier-scale"]["environment"]["DOSSIER_QDRANT__URL"].as_str().unwrap();
    assert_eq!(
        (services["dossier-scale"]["environment"]["DOSSIER_INDEX__STORE"].as_str(), url),
        (Some("cluster"), "http://qdrant:6334")
    );
}

#[test]
fn the_settings_of_the_containers_exist() {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "a key").unwrap();
    for (name, service) in services().into_iter().filter(|(name, _)| name.starts_with("dossier")) {
        let mut command = dossier();
        for (variable, value) in service["environment"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            command.env(variable, if variable.ends_with("KEY_FILE") { key.path().to_str().unwrap() } else { value });
        }
        let output = command.args(["config", "check"]).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_installed_compose_client_reads_the_file() {
    let clients: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
    let run = |client: &[&str], arguments: &[&str]| {
        let mut command = Command::new(client[0]);
        command.args(&client[1..]).args(arguments).current_dir(root()).stdin(Stdio::null()).env_remove("COMPOSE_PROFILES");
        command.output().ok().filter(|output| output.status.success() || !output.stderr.is_empty())
    };
    let Some(client) = clients.into_iter().find(|client| run(client, &["version"]).is_some_and(|o| o.status.success())) else {
        eprintln!("skipped: neither `docker compose` nor `docker-compose` is installed");
        return;
    };
    for arguments in [&["config", "--quiet"][..], &["--profile", "scale", "config", "--quiet"]] {
        let output = run(client, arguments).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn the_health_check_tells_ready_from_unreachable() {
    let service = Service::start().await;
    let check = |bind: &str| dossier().args(["healthcheck", "--json"]).env("DOSSIER_SERVER__BIND", bind).output().unwrap();
    let port = service.url.clone();
    let port = port.rsplit_once(':').unwrap().1;
    let ready = check(&format!("127.0.0.1:{port}"));
    assert!(ready.status.success(), "{}", String::from_utf8_lossy(&ready.stderr));
    assert!(String::from_utf8_lossy(&ready.stdout).contains("\"ready\""));
    // On all addresses, with a key: the check goes to the nearest one, and needs none.
    assert!(check(&format!("0.0.0.0:{port}")).status.success());
    drop(service);
    let gone = check(&format!("127.0.0.1:{port}"));
    assert_eq!(gone.status.code(), Some(5), "{}", String::from_utf8_lossy(&gone.stderr));
}
