//! Plans as pages and graphs: what pages may load, and what a browser and Graphviz make of them.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use layercake_compiler::plan::{PLAN_VERSION, Plan};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::home::run;
use crate::support::tools::available;
use crate::support::{Home, ran::Ran};

/// Two stages that wait for nothing, and an image of both: a shared context, names that HTML would take for its own, and a
/// password that nobody is to see.
const DOCKERFILE: &str = "FROM scratch AS one\nWORKDIR /a\nCOPY a.txt /a/\nFROM scratch AS two\nCOPY a.txt /b/\n\
    ADD https://user:hunter2@example.org/f?x=<b>&y=1 /b/\nFROM scratch\nLABEL note=\"</script><!--\"\n\
    COPY --from=one /a /a\nCOPY --from=two /b /b\n";

fn home() -> Home {
    let home = Home::empty();
    home.write("ctx/Dockerfile", DOCKERFILE).write("ctx/a.txt", "1");
    home
}

fn page(home: &Home, predict: &[&str]) -> String {
    let arguments = ["compile", "--format=html", "--platform=linux/amd64"].iter().chain(predict).chain(&["ctx"]);
    let page = run(&mut home.command(arguments.copied())).ok().stdout;
    home.write("page.html", &page);
    page
}

/// The page as a browser has it in the end, and on standard error what it says meanwhile.
fn browse(home: &Home, fragment: &str) -> Ran {
    let profile = home.path("profile");
    let address = format!("file://{}#{fragment}", home.path("work/page.html").display());
    let mut command = Command::new("chromium");
    home.furnish(&mut command);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=5000", "--window-size=1400,900", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(address);
    run(&mut command).ok()
}

/// What scripts, styles and the policy of a page had to complain of.
fn complaints(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.contains("CONSOLE")).collect()
}

#[test]
fn nothing_but_its_own_style_and_script_is_allowed() {
    let page = page(&home(), &[]);
    let (_, policy) = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"").unwrap();
    let policy = policy.split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let mut own = 0;
    for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
        for text in page.split(open).skip(1).map(|rest| rest.split(close).next().unwrap()) {
            let hash = format!("'sha256-{}'", BASE64.encode(Sha256::digest(text)));
            assert!(policy.contains(&hash), "{open} has {hash}, and the policy is {policy}");
            own += 1;
        }
    }
    assert_eq!(own, 3, "the page's style, the picture's and a script");
    for foreign in ["<link", "<img", "<iframe", "src=", "@import", "url(http", " style=", " onclick="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(!page.contains("hunter2"), "a password is shown");
}

#[test]
fn a_browser_has_nothing_to_complain_of() {
    if !available(&["chromium"]) {
        return;
    }
    let home = home();
    let written = page(&home, &[]);
    let ran = browse(&home, "");
    assert_eq!(complaints(&ran), [""; 0]);
    let dom = &ran.stdout;
    assert!(dom.contains("<body class=\"scripted\">"), "the script has run");
    for id in 0..written.matches("<tr id=\"step-").count() {
        assert!(dom.contains(&format!("data-step=\"{id}\" href=\"#step-{id}\" aria-label=")), "step {id} is drawn");
    }
    for text in
        ["<h1>stage 2</h1>", "Critical path", "build context", "&lt;/script&gt;&lt;!--", "<output id=\"found\">"]
    {
        assert!(dom.contains(text), "{text}");
    }
    // What would be said if something were wrong.
    home.write("page.html", written.replace("'use strict';", "'use strict'; "));
    let ran = browse(&home, "");
    assert!(complaints(&ran).iter().any(|line| line.contains("Content Security Policy")), "{}", ran.stderr);
    assert!(!ran.stdout.contains("class=\"scripted\""), "what the policy does not know does not run");
}

#[test]
fn an_address_with_a_step_shows_what_it_waits_for() {
    if !available(&["chromium"]) {
        return;
    }
    let home = home();
    let written = page(&home, &["--predict"]);
    let row = written.lines().find(|line| line.contains("<code>%one.a.txt</code>")).unwrap();
    let id = row.split('"').nth(1).unwrap();
    let ran = browse(&home, id);
    assert_eq!(complaints(&ran), [""; 0]);
    let (_, panel) = ran.stdout.split_once("<aside id=\"panel\"").unwrap();
    let panel = panel.split("</aside>").next().unwrap();
    for text in [
        "COPY a.txt /a/</h2>",
        "stage one",
        "line 3",
        "<b>unknown</b> it depends on %1",
        "waits for",
        "%context</a>",
        "%one.a</a>",
    ] {
        assert!(panel.contains(text), "{text}: {panel}");
    }
    let marked = |mark: &str| ran.stdout.matches(&format!(" {mark}\" data-step=")).count();
    assert_eq!(marked("at"), 1, "the step itself");
    assert!(ran.stdout.contains(" class=\"timed chosen\""), "the rest fades");
}

#[test]
fn graphviz_draws_what_the_plan_has() {
    if !available(&["dot"]) {
        return;
    }
    let home = home();
    for predict in [[].as_slice(), &["--predict"]] {
        let compile = |format: &'static str| {
            let arguments = ["compile", format, "--platform=linux/amd64"].into_iter().chain(predict.iter().copied());
            run(&mut home.command(arguments.chain(["ctx"]))).ok().stdout
        };
        home.write("plan.dot", compile("--format=dot"));
        let plan: Value = serde_json::from_str(&compile("--format=json")).unwrap();
        let mut command = Command::new("dot");
        home.furnish(&mut command);
        // One line for each node and each edge (<https://graphviz.org/docs/outputs/plain/>).
        let plain = run(command.args(["-Tplain", "plan.dot"])).ok();
        assert_eq!(plain.stderr, "", "it has nothing to warn of");
        let lines = |kind: &str| plain.stdout.lines().filter(|line| line.starts_with(kind)).count();
        let steps = plan["steps"].as_array().unwrap();
        let inputs = steps.iter().map(|step| step["inputs"].as_array().unwrap().len()).sum();
        assert_eq!((lines("node "), lines("edge ")), (steps.len(), inputs));
    }
}

/// The forms for programs hold the whole plan: what is read is what was written.
#[test]
fn json_and_toml_are_read_again() {
    let home = home();
    let compile = |format: &str| home.layercake(["compile", "--platform=linux/amd64", format, "ctx"]).ok().stdout;
    let json: Plan = serde_json::from_str(&compile("--format=json")).unwrap();
    let toml: Plan = toml::from_str(&compile("--format=toml")).unwrap();
    assert_eq!(json, toml);
    assert_eq!(json.to_string(), compile("--format=text"));
    assert_eq!(json.version, PLAN_VERSION);
}
