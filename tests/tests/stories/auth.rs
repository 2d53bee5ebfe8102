//! Who may do what, and what becomes of keys.

use ffleet_client::{Api, Connection};
use ffleet_protocol::{
    account::{RotateRequest, Scope},
    id::{AccountId, WorkerId},
    job::JobFilter,
    problem::Code,
    sign::KeyFile,
    state::Role,
};
use ffleet_tests::{Fleet, job};

fn signed_by(fleet: &Fleet, line: &str) -> Api {
    Api::new(Connection::new(vec![fleet.coordinator().url()], KeyFile::parse(line).unwrap())).unwrap()
}

#[tokio::test]
async fn strangers_do_not_see_that_a_job_exists() {
    let fleet = Fleet::start().await;
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let other = fleet.account("other", Role::Client, Scope::default()).await;
    let refusals = [
        other.job(id).await.unwrap_err(),
        other.cancel(id).await.unwrap_err(),
        other.explain(id).await.unwrap_err(),
        other.retry(id, None).await.unwrap_err(),
        other.logs(id, None, false).await.map(drop).unwrap_err(),
    ];
    for refusal in refusals {
        assert!(refusal.is(Code::NoSuchJob), "{refusal}");
    }
    assert!(other.jobs(&JobFilter::default()).await.unwrap().jobs.is_empty());

    let lead = fleet.account("lead", Role::Client, Scope { sees_all: true, ..Scope::default() }).await;
    assert_eq!(lead.job(id).await.unwrap().summary.id, id);
    assert!(lead.cancel(id).await.is_err(), "to see is not to act");
}

#[tokio::test]
async fn roles_keep_to_their_calls() {
    let fleet = Fleet::start().await;
    let refusals = [
        fleet.farm().submit(&job(["x"]), "k").await.map(drop).unwrap_err(),
        fleet.api().accounts().await.map(drop).unwrap_err(),
        fleet.api().janitor().await.map(drop).unwrap_err(),
        fleet.farm().drain(&WorkerId::new("any").unwrap()).await.map(drop).unwrap_err(),
    ];
    for refusal in refusals {
        assert!(refusal.is(Code::WrongRole), "{refusal}");
    }
}

#[tokio::test]
async fn a_workers_name_belongs_to_its_account() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("mine", 1).await;
    let other = fleet.account("other-farm", Role::Worker, Scope::default()).await;
    let refused = other.leave(&hand.id, hand.incarnation).await.unwrap_err();
    assert!(refused.is(Code::NoSuchWorker) || refused.is(Code::WorkerTaken), "{refused}");
    hand.beat(&[]).await.unwrap();
}

#[tokio::test]
async fn unknown_disabled_and_wrong_keys_look_the_same() {
    let fleet = Fleet::start().await;
    let shut = fleet.account("shut", Role::Client, Scope::default()).await;
    shut.status().await.unwrap();
    fleet.chief().disable_account(&AccountId::new("shut").unwrap()).await.unwrap();
    let key = std::fs::read_to_string(fleet.dir().join("keys/studio.key")).unwrap();
    let (key_id, _) = key.trim().split_once(':').unwrap();
    let wrong = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut said = Vec::new();
    for api in [shut, signed_by(&fleet, &format!("nobody:{wrong}")), signed_by(&fleet, &format!("{key_id}:{wrong}"))] {
        let refused = api.status().await.unwrap_err();
        let problem = refused.problem().unwrap();
        said.push((problem.status, problem.code.clone(), problem.title.clone(), problem.detail.clone()));
    }
    assert_eq!(said[0].1, "unauthorized");
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    fleet.chief().enable_account(&AccountId::new("shut").unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_rotated_key_works_beside_the_old_one_until_its_time_is_over() {
    let fleet = Fleet::start().await;
    let id = AccountId::new("turning").unwrap();
    let old = fleet.account("turning", Role::Client, Scope::default()).await;
    let key = fleet.chief().rotate_key(&id, &RotateRequest { overlap_s: 3600 }).await.unwrap();
    let new = signed_by(&fleet, &format!("{}:{}", key.key_id, key.secret));
    old.status().await.unwrap();
    new.status().await.unwrap();
    let newest = fleet.chief().rotate_key(&id, &RotateRequest { overlap_s: 0 }).await.unwrap();
    let newest = signed_by(&fleet, &format!("{}:{}", newest.key_id, newest.secret));
    newest.status().await.unwrap();
    for dead in [old, new] {
        assert!(dead.status().await.unwrap_err().is(Code::Unauthorized));
    }
}

#[tokio::test]
async fn the_last_admin_stays() {
    let fleet = Fleet::start().await;
    let chief = AccountId::new("chief").unwrap();
    for refused in [
        fleet.chief().disable_account(&chief).await.map(drop).unwrap_err(),
        fleet.chief().remove_account(&chief).await.unwrap_err(),
    ] {
        assert!(refused.is(Code::LastAdmin), "{refused}");
    }
}

/// Secrets are in key files, and nowhere else: no log, no process list, no table.
#[tokio::test]
async fn secrets_show_up_nowhere() {
    let fleet = Fleet::setup().config("[log]\nlevel = \"trace\"\n").start().await;
    let worker = fleet.worker("box").await;
    let ffleet = fleet.ffleet(["submit", "--", "-fake-say", "x"]).run().await.expect(0);
    assert!(worker.process().is_alive());
    let mut secrets = Vec::new();
    for name in ["chief", "studio", "farm"] {
        let key = std::fs::read_to_string(fleet.dir().join(format!("keys/{name}.key"))).unwrap();
        secrets.push(key.trim().split_once(':').unwrap().1.to_owned());
    }
    secrets.push(std::fs::read_to_string(fleet.dir().join("keys/master.key")).unwrap().trim().to_owned());
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let mut looked_at = 0;
    for folder in [fleet.dir().to_owned(), fleet.dir().join("logs")] {
        for file in std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            let bytes = std::fs::read(file.path()).unwrap();
            looked_at += 1;
            for secret in &secrets {
                assert!(!holds(&bytes, secret), "a secret lies in {}", file.path().display());
            }
        }
    }
    assert!(looked_at > 5, "there were files to look at");
    for line in fleet.processes_with("") {
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
    }
    assert!(!secrets.iter().any(|secret| ffleet.stderr.contains(secret)));
}
