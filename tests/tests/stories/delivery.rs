//! Requests and answers that the network loses, repeats, holds back and cuts: one effect each.

use std::{collections::BTreeSet, future::Future};

use ffleet_client::{Api, ApiError};
use ffleet_protocol::{
    account::{NewAccount, RotateRequest, Scope},
    id::{AccountId, Incarnation, JobId, Token},
    job::{AttemptEnd, BatchItem, BatchRequest, ClientHeartbeat, JobFilter, JobSpec, JobView},
    problem::Code,
    state::{JobStatus, Role, SignalKind},
    task::Exit,
};
use ffleet_tests::{Fleet, Held, On, Rule, SHORT_LEASES, Way, WorkerSetup, job, spec, stderr_text};
use futures_util::{StreamExt, stream};
use serde_json::json;

/// What befalls one request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// The coordinator commits and its answer is lost.
    AnswerLost,
    /// It arrives twice, and the first answer comes back.
    TwiceFirst,
    /// It arrives twice, and the second answer comes back.
    TwiceSecond,
    /// It arrives twice at the same time.
    TwiceAtOnce,
    /// Its connection breaks; it arrives when everything is over.
    Late,
    /// It is cut within its head.
    HeadCut,
    /// It is cut in its body, or right behind it.
    BodyCut,
    /// Its answer is cut.
    AnswerCut,
}

impl Fault {
    fn befalls(self, request: On<'_>) -> Rule {
        match self {
            Self::AnswerLost => request.lose_answer(),
            Self::TwiceFirst => request.repeat(2, 1),
            Self::TwiceSecond => request.repeat(2, 2),
            Self::TwiceAtOnce => request.repeat_at_once(2, 1),
            Self::Late => request.keep(),
            Self::HeadCut => request.cut(Way::Request, 200),
            Self::BodyCut => request.cut(Way::Request, 640),
            Self::AnswerCut => request.cut(Way::Answer, 60),
        }
    }
}

/// One fault, and everything that is written while it befalls the first delivery of each call.
struct Life<'a> {
    fleet: &'a Fleet,
    fault: Fault,
    name: String,
}

impl Life<'_> {
    /// Makes a call whose first delivery suffers the fault.
    async fn suffering<T>(&self, method: &str, path: &str, call: impl Future<Output = T>) -> T {
        let rule = self.fault.befalls(self.fleet.proxy(0).on(method, path));
        let made = call.await;
        rule.happened().await;
        made
    }

    /// The same for a call that is sent once: whoever makes it learns that nobody knows, and makes it again if he finds
    /// that nothing was done.
    async fn insisting<T, F: Future<Output = Result<T, ApiError>>>(
        &self,
        (method, path): (&str, &str),
        call: impl Fn() -> F,
        there_already: &[Code],
    ) -> bool {
        let first = self.suffering(method, path, call()).await;
        match first.map(drop) {
            Ok(()) => true,
            Err(error) if there_already.iter().any(|code| error.is(*code)) => true,
            Err(_) => match call().await {
                Ok(_) => true,
                Err(error) => {
                    assert!(
                        there_already.iter().any(|code| error.is(*code)),
                        "{:?} {method} {path}: {error}",
                        self.fault
                    );
                    false
                }
            },
        }
    }

    fn spec(&self, word: &str) -> JobSpec {
        spec(["-fake-say", word], json!({ "labels": { "life": self.name }, "monitor": true }))
    }

    async fn jobs(&self) -> Vec<JobView> {
        let filter = JobFilter { label: Some(format!("life={}", self.name)), ..JobFilter::default() };
        let page = self.fleet.chief().jobs(&filter).await.unwrap();
        let mut views = Vec::new();
        for job in page.jobs {
            views.push(self.fleet.job(job.id).await);
        }
        views
    }
}

#[tokio::test]
async fn every_kind_of_write_has_one_effect_whatever_happens_on_the_way() {
    let fleet = Fleet::setup().proxies(1).start().await;
    for fault in [
        Fault::AnswerLost,
        Fault::TwiceFirst,
        Fault::TwiceSecond,
        Fault::TwiceAtOnce,
        Fault::Late,
        Fault::HeadCut,
        Fault::BodyCut,
        Fault::AnswerCut,
    ] {
        let life = Life { fleet: &fleet, fault, name: format!("{fault:?}").to_lowercase() };
        jobs_and_tasks(&life).await;
        accounts(&life).await;
        for status in fleet.proxy(0).deliver_late().await {
            assert!(status < 500, "{fault:?}: {status}");
        }
        check(&life).await;
    }
}

async fn jobs_and_tasks(life: &Life<'_>) {
    let Life { fleet, name, .. } = life;
    let proxy = fleet.proxy(0);
    let studio = fleet.api_via(&[proxy], "studio");
    let hand = life.suffering("PUT", "/v1/workers/*", fleet.hand_via(&[proxy], name, 4)).await;

    // The first job runs to its good end.
    let (job, key) = (life.spec("good"), format!("{name}-good"));
    let good = life.suffering("POST", "/v1/jobs", studio.submit(&job, &key)).await.unwrap().id;
    let claim = hand.claim_with(Token::new(), 1, 25);
    let answer = life.suffering("POST", "/v1/claims", claim).await.unwrap().unwrap();
    assert_eq!(answer.grants.len(), 1);
    let held = Held { grant: answer.grants[0].clone() };
    assert_eq!(held.grant.job, good);
    life.suffering("POST", "/v1/tasks/*/accept", hand.accept(&held)).await.unwrap();
    life.suffering("POST", "/v1/tasks/*/logs", hand.log(&held, 1, &["one", "two"])).await.unwrap();
    life.suffering("POST", "/v1/workers/*/heartbeat", hand.beat(&[&held])).await.unwrap();
    let beat = ClientHeartbeat { follower: Incarnation::new(), beat: 1 };
    life.suffering("POST", "/v1/jobs/*/heartbeat", studio.client_heartbeat(good, &beat)).await.unwrap();
    let signaled = life.suffering("POST", "/v1/jobs/*/signal", studio.signal(good, SignalKind::Quit)).await;
    let signals = hand.beat(&[&held]).await.unwrap().verdicts[0].signals.len();
    assert!(signals == 1 || (signals == 0 && signaled.is_err()), "{:?}: {signals} signals", life.fault);
    hand.log(&held, 3, &["three"]).await.unwrap();
    life.suffering("POST", "/v1/tasks/*/finish", hand.finish(&held, 3)).await.unwrap();

    // Of the next two one is rejected and canceled while it waits, the other canceled while it runs.
    let item = |word: &str| BatchItem { idempotency_key: format!("{name}-{word}"), job: life.spec(word) };
    let batch = BatchRequest { jobs: vec![item("b"), item("c")], again: false };
    assert_eq!(life.suffering("POST", "/v1/jobs:batch", studio.batch(&batch)).await.unwrap().jobs.len(), 2);
    let (rejected, running) = (hand.claim().await, hand.claim().await);
    life.suffering("POST", "/v1/tasks/*/reject", hand.reject(&rejected, "not today")).await.unwrap();
    studio.cancel(rejected.grant.job).await.unwrap();
    hand.accept(&running).await.unwrap();
    life.suffering("POST", "/v1/jobs/*/cancel", studio.cancel(running.grant.job)).await.unwrap();
    hand.finish_with(&running, Exit::Stopped, None, 0).await.unwrap();
    let key = format!("{name}-again");
    let again = studio.retry(running.grant.job, Some(&key));
    let again = life.suffering("POST", "/v1/jobs/*/retry", again).await.unwrap().id;
    studio.cancel(again).await.unwrap();
    life.suffering("DELETE", "/v1/workers/*", hand.leave()).await.unwrap();
}

async fn accounts(life: &Life<'_>) {
    let chief = life.fleet.api_via(&[life.fleet.proxy(0)], "chief");
    let id = AccountId::new(format!("acc-{}", life.name)).unwrap();
    let new = NewAccount { id: id.clone(), role: Role::Client, scope: Scope::default() };
    life.insisting(("POST", "/v1/accounts"), || chief.add_account(&new), &[Code::AccountExists]).await;
    assert_eq!(chief.account(&id).await.unwrap().keys.len(), 1, "{:?}", life.fault);
    let scope = Scope { weight: 7, ..Scope::default() };
    life.insisting(("PUT", "/v1/accounts/*/scope"), || chief.set_scope(&id, &scope), &[]).await;
    let rotate = RotateRequest { overlap_s: 3600 };
    let rotated = life.suffering("POST", "/v1/accounts/*/rotate", chief.rotate_key(&id, &rotate)).await;
    let keys = chief.account(&id).await.unwrap().keys.len();
    assert!(keys == 2 || (keys == 1 && rotated.is_err()), "{:?}: {keys} keys", life.fault);
    life.insisting(("POST", "/v1/accounts/*/disable"), || chief.disable_account(&id), &[]).await;
    let view = chief.account(&id).await.unwrap();
    assert_eq!((view.enabled, view.scope.weight), (false, 7), "{:?}", life.fault);
    life.insisting(("DELETE", "/v1/accounts/*"), || chief.remove_account(&id), &[Code::NoSuchAccount]).await;
    assert!(chief.account(&id).await.unwrap_err().is(Code::NoSuchAccount));
}

async fn check(life: &Life<'_>) {
    let fault = life.fault;
    let jobs = life.jobs().await;
    let ends: Vec<_> = jobs.iter().map(|view| (view.spec.args.clone(), view.summary.status)).collect();
    assert_eq!(jobs.len(), 4, "{fault:?}: one submitted, two in a batch, one retried: {ends:?}");
    for view in &jobs {
        let task = &view.tasks[0];
        let attempts: Vec<_> = task.attempts.iter().map(|attempt| attempt.end).collect();
        assert_eq!((task.failures, task.crashes), (0, 0), "{fault:?}");
        match view.summary.status {
            JobStatus::Completed => assert_eq!(attempts, [Some(AttemptEnd::Completed)], "{fault:?}"),
            JobStatus::Canceled => assert!(attempts.len() <= 1, "{fault:?}: {attempts:?}"),
            other => panic!("{fault:?}: a job is {other}"),
        }
    }
    let good: Vec<_> = jobs.iter().filter(|view| view.summary.status == JobStatus::Completed).collect();
    assert_eq!(good.len(), 1, "{fault:?}: {ends:?}");
    let said = stderr_text(&life.fleet.wait(good[0].summary.id).everything().await);
    assert_eq!(said, ["one", "two", "three"], "{fault:?}");
}

#[tokio::test]
async fn a_thousand_submits_that_arrive_three_times_are_a_thousand_jobs() {
    const COUNT: usize = 1_000;
    let fleet = Fleet::setup().proxies(1).start().await;
    let proxy = fleet.proxy(0);
    let studio = fleet.api_via(&[proxy], "studio");
    // Of requests that arrive together any one may win, and whoever gets another's answer asks again.
    let together = proxy.on("POST", "/v1/jobs").times(150).repeat_at_once(3, 2);
    let last = proxy.on("POST", "/v1/jobs").times(150).repeat(3, 3);
    let _rest = proxy.on("POST", "/v1/jobs").times(usize::MAX).repeat(3, 1);
    let submit = |n: usize, api: Api| async move {
        api.submit(&job(["-fake-say", &n.to_string()]), &format!("thrice-{n}")).await.unwrap().id
    };
    let submits = stream::iter(0..COUNT).map(|n| submit(n, studio.clone())).buffer_unordered(16);
    let acknowledged: Vec<JobId> = submits.collect().await;
    let filter = JobFilter { limit: Some(1_000), ..JobFilter::default() };
    let page = fleet.chief().jobs(&filter).await.unwrap();
    assert_eq!(page.next_cursor, None, "there are more than {COUNT}");
    let there: BTreeSet<_> = page.jobs.iter().map(|job| job.id).collect();
    assert_eq!(there, acknowledged.iter().copied().collect());
    assert_eq!(there.len(), COUNT);
    assert_eq!((together.count(), last.count()), (150, 150));
    assert!(proxy.faults().repeated >= 2 * COUNT as u64, "{:?}", proxy.faults());
}

#[tokio::test]
async fn what_an_earlier_start_said_does_not_end_the_later_one() {
    let fleet = Fleet::setup().config(SHORT_LEASES).proxies(1).start().await;
    let proxy = fleet.proxy(0);
    // The first start's words are held up on their way; it dies of impatience, and another start comes.
    let kept = proxy.on("PUT", "/v1/workers/*").times(1).keep();
    let hand = fleet.hand_via(&[proxy], "twice-born", 1).await;
    kept.happened().await;
    // Somebody else's lapse measures the time.
    let other = fleet.hand("other", 1).await;
    let lost = fleet.submit(&job(["-fake-hang"])).await;
    other.claim().await;
    fleet.wait(lost).until_attempt_ended(1).await;
    let hand = hand.restarted(Vec::new()).await;
    let held = hand.take().await;
    assert_eq!(proxy.deliver_late().await, [401], "a word of a start that is over");
    hand.beat(&[&held]).await.unwrap();
    hand.finish(&held, 0).await.unwrap();
    fleet.wait(lost).until(JobStatus::Completed).await;
}

#[tokio::test]
async fn a_replay_keeps_no_monitored_job_alive() {
    let fleet = Fleet::setup().config(SHORT_LEASES).proxies(1).start().await;
    let proxy = fleet.proxy(0);
    let studio = fleet.api_via(&[proxy], "studio");
    let id = fleet.submit(&spec(["-fake-hang"], json!({ "monitor": true }))).await;
    // Two followers whose beats are both on record; then both die, and somebody sends what he heard again and again.
    let (one, two) = (Incarnation::new(), Incarnation::new());
    let recorded = proxy.on("POST", "/v1/jobs/*/heartbeat").times(4).record();
    for (follower, beat) in [(one, 1), (two, 1), (one, 2), (two, 2)] {
        studio.client_heartbeat(id, &ClientHeartbeat { follower, beat }).await.unwrap();
    }
    recorded.happened().await;
    // Of the follower that was heard last an older beat counts for nothing; another one's would take the job over again.
    assert_eq!(proxy.deliver_late().await, [401, 200, 401, 200]);
    fleet.wait(id).until(JobStatus::Canceled).await;
}

#[tokio::test]
async fn workers_clients_and_the_program_live_behind_a_bad_network() {
    let fleet = Fleet::setup().proxies(1).start().await;
    let proxy = fleet.proxy(0);
    fleet.worker_with(WorkerSetup::new("box").slots(2).via(proxy)).await;
    let rules = [
        proxy.on("POST", "/v1/jobs").lose_answer(),
        proxy.on("POST", "/v1/claims").lose_answer(),
        proxy.on("POST", "/v1/tasks/*/accept").repeat(2, 2),
        proxy.on("POST", "/v1/tasks/*/logs").times(3).lose_answer(),
        proxy.on("GET", "/v1/jobs/*/logs").cut(Way::Answer, 500),
        proxy.on("POST", "/v1/tasks/*/finish").lose_answer(),
    ];
    let steps = ["-fake-slow", "30:20", "-fake-bytes", "3:100000", "-fake-exit", "6"];
    let ran = fleet.ffleet(["submit", "--retries", "0", "--"].into_iter().chain(steps)).via(&[proxy]).run().await;
    let ran = ran.expect(6);
    let lines: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(lines, (1..=30).map(|n| format!("line {n}")).collect::<Vec<_>>());
    assert!(ran.stdout == ffleet_tests::noise(3, 100_000), "{} bytes", ran.stdout.len());
    for rule in &rules {
        rule.happened().await;
    }
    assert_eq!(fleet.job(fleet.newest().await).await.tasks[0].epoch, 1);
    assert_eq!(fleet.api().jobs(&JobFilter::default()).await.unwrap().jobs.len(), 1);
}
