//! How answers look.

use ffleet_protocol::state::Role;

use crate::server::{Server, refused};

#[actix_web::test]
async fn whatever_is_not_there_is_a_problem_too() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    assert_eq!(server.send(&alice.get("/v2/jobs")).await.refusal(), refused(404, "not_found"));
    assert_eq!(server.send(&alice.get("/v1/jobs/")).await.refusal(), refused(404, "not_found"));
    let wrong = server.send(&alice.request("PUT", "/v1/jobs", None, &[])).await;
    assert_eq!(wrong.refusal(), refused(405, "method_not_allowed"));
    assert_eq!(wrong.headers["allow"], "POST, GET");
    assert_eq!(server.send(&alice.get("/v1/jobs/last")).await.refusal(), refused(404, "no_such_job"));
}

#[actix_web::test]
async fn roles_hold() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let worker = server.account("box", Role::Worker).await;
    let admin = server.account("root", Role::Admin).await;
    for (signer, target, status) in [
        (&alice, "/v1/jobs", 200),
        (&alice, "/v1/accounts", 403),
        (&alice, "/v1/workers", 200),
        (&worker, "/v1/jobs", 403),
        (&worker, "/v1/accounts", 403),
        (&worker, "/v1/status", 200),
        (&admin, "/v1/jobs", 200),
        (&admin, "/v1/accounts", 200),
    ] {
        let answer = server.send(&signer.get(target)).await;
        assert_eq!(answer.status, status, "{} {target}", signer.key_id);
        assert_eq!(answer.headers["cache-control"], "no-store");
        if status == 403 {
            let problem = answer.problem();
            assert_eq!(problem.code, "wrong_role");
            assert!(problem.detail.contains("admins"), "{}", problem.detail);
        }
    }
    let claim = admin.post("/v1/claims", "{}");
    assert_eq!(server.send(&claim).await.refusal(), refused(403, "wrong_role"));
}

#[actix_web::test]
async fn queries_are_read_strictly() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    for (target, part) in
        [("/v1/jobs?limit=many", "limit"), ("/v1/watch", "topic"), ("/v1/watch?topic=job", "queue:NUMBER")]
    {
        let problem = server.send(&alice.get(target)).await.problem();
        assert_eq!(problem.code, "bad_request", "{target}");
        assert!(problem.detail.contains(part), "{target}: {}", problem.detail);
    }
    for (target, part) in [
        ("/v1/jobs?stauts=pending", "stauts"),
        ("/v1/jobs/00000000-0000-7000-8000-000000000000/logs?folow", "folow"),
        ("/v1/watch?topic=queue:1&wait=5", "wait"),
    ] {
        let problem = server.send(&alice.get(target)).await.problem();
        assert_eq!((problem.code.as_str(), problem.errors[0].field.as_str()), ("unknown_field", part), "{target}");
    }
    let cursor = alice.get("/v1/jobs/00000000-0000-7000-8000-000000000000/logs?after=nonsense");
    assert_eq!(server.send(&cursor).await.refusal(), refused(400, "bad_cursor"));
}

#[actix_web::test]
async fn machines_are_told_when_we_leave() {
    let server = Server::start().await;
    let ask = async |method: &str, path: &str| {
        let text = format!("{method} {path} HTTP/1.1\r\nhost: lb\r\nconnection: close\r\n\r\n");
        server.send_bytes(text.as_bytes()).await
    };
    let ready = ask("GET", "/health/ready").await;
    assert_eq!((ready.status, ready.body.contains("\"ready\":true")), (200, true), "{ready:?}");
    assert_eq!(ask("HEAD", "/health/ready").await.status, 200);
    assert_eq!(ask("GET", "/health/live").await.body, "{\"status\":\"ok\"}");
    server.app.leaving.cancel();
    let leaving = ask("GET", "/health/ready").await;
    assert_eq!((leaving.status, leaving.body.contains("\"serving\":\"leaving\"")), (503, true), "{leaving:?}");
    assert_eq!(ask("GET", "/health/live").await.status, 200);
}
