//! What does a CI server show of a run? JUnit XML for its test view, Markdown for its summary page or a comment.

use std::fmt::{self, Write};

use crate::{
    Report, Verdict,
    outcome::Outcome,
    report::{Gated, percent},
};

/// Comments on the large code hosts end at 64 KB; this leaves room for what stands around it.
const LIMIT: usize = 60_000;
/// Cases named: whoever reads a summary wants to know where to start.
const NAMED: usize = 10;

impl Report {
    /// JUnit XML: one suite per setting, one more for the gates. A case in which something went wrong is a failure with its reason,
    /// one that could not be measured is skipped. Whether the run passed is what the suite `gates` says.
    pub fn junit(&self) -> String {
        let mut out = String::new();
        self.write_junit(&mut out).map_or_else(|_| String::new(), |()| out)
    }

    fn write_junit(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(out, "<testsuites name=\"{}\" time=\"{:.3}\">", xml(&self.name), self.seconds)?;
        let gates: Vec<Test> = self.gates.iter().map(Test::of_gate).chain(self.drops()).collect();
        suite(out, &format!("{} gates", self.name), &gates)?;
        let mut settings: Vec<&str> = self.outcomes.iter().map(|o| o.setting.as_str()).collect();
        settings.dedup();
        for setting in settings {
            let cases: Vec<Test> = self.outcomes.iter().filter(|o| o.setting == setting).map(Test::of_case).collect();
            suite(out, &format!("{} {setting}", self.name), &cases)?;
        }
        writeln!(out, "</testsuites>")
    }

    fn drops(&self) -> impl Iterator<Item = Test> {
        let watched = self.baseline.iter().flat_map(|b| b.metrics.iter().filter(|m| m.watched).map(move |m| (b, m)));
        watched.map(|(b, m)| Test {
            class: "baseline".into(),
            name: format!("{} does not drop", m.metric),
            failure: m.dropped.then(|| {
                let (before, after) = (percent(Some(m.before)), percent(Some(m.after)));
                format!("{before} before, {after} now; {} worse, {} better, p = {:.4} ≤ {:.4}", m.worse, m.better, m.p, b.level)
            }),
            skipped: None,
        })
    }

    /// A summary in Markdown, at most 60 KB: the verdict, the gates, the comparison with the baseline, the worst cases.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        if self.write_summary(&mut out).is_err() {
            return String::new();
        }
        if out.len() > LIMIT {
            let end = (0..=LIMIT).rev().find(|i| out.is_char_boundary(*i)).unwrap_or(0);
            let end = out[..end].rfind('\n').unwrap_or(end);
            out.truncate(end);
            out.push_str("\n\n… cut at 60 KB\n");
        }
        out
    }

    fn write_summary(&self, out: &mut String) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Passed => "✅ passed",
            Verdict::Failed => "❌ failed",
            Verdict::Inconclusive => "⚠️ inconclusive: too much could not be measured",
        };
        let unmeasured = self.outcomes.iter().filter(|o| o.error.is_some()).count();
        writeln!(out, "## {} {}: {verdict}\n", self.kind, cell(&self.name))?;
        writeln!(
            out,
            "{} questions, {unmeasured} not measured · {} documents, {} not ingested · corpus `{}` · settings `{}` · {:.0} s",
            self.outcomes.len(),
            self.ingested.documents,
            self.ingested.failed.len(),
            self.corpus_hash,
            self.config_hash,
            self.seconds
        )?;
        if !self.gates.is_empty() {
            writeln!(out, "\n| gate | value | bound | n | |\n|---|--:|---|--:|---|")?;
            for g in &self.gates {
                let mark = match g.verdict {
                    Verdict::Passed => "ok",
                    Verdict::Failed => "**failed**",
                    Verdict::Inconclusive => "not measured",
                };
                writeln!(out, "| `{}` | {} | {} | {} | {mark} |", g.label(), percent(g.value), bounds(g), g.n)?;
            }
        }
        self.write_drops(out)?;
        for setting in self.settings.iter().filter(|s| !s.metrics.is_empty()) {
            writeln!(out, "\n<details><summary>{}: {} questions</summary>\n", cell(&setting.name), setting.questions)?;
            writeln!(out, "| metric | % | 95 % | n |\n|---|--:|---|--:|")?;
            for line in &setting.metrics {
                let e = line.estimate;
                let interval = e.low.zip(e.high).map_or("–".into(), |(l, h)| format!("{:.1} – {:.1}", 100.0 * l, 100.0 * h));
                writeln!(out, "| `{}` | {} | {interval} | {} |", line.metric, percent(Some(e.mean)), e.n)?;
            }
            writeln!(out, "\n</details>")?;
        }
        Ok(())
    }

    fn write_drops(&self, out: &mut String) -> fmt::Result {
        let rows: Vec<(String, String)> = match &self.baseline {
            Some(b) => {
                write!(
                    out,
                    "\n### Against the baseline\n\n{} cases in both, {} new, {} gone",
                    b.pairs,
                    b.added.len(),
                    b.removed.len()
                )?;
                writeln!(out, "{}\n", if b.same_config { "" } else { ", other settings" })?;
                writeln!(out, "| metric | before | now | points | worse / better | p | smallest drop found | |")?;
                writeln!(out, "|---|--:|--:|--:|--:|--:|--:|---|")?;
                for m in b.metrics.iter().filter(|m| m.watched) {
                    writeln!(
                        out,
                        "| `{}` | {} | {} | {:+.1} | {} / {} | {:.4} | {} | {} |",
                        m.metric,
                        percent(Some(m.before)),
                        percent(Some(m.after)),
                        100.0 * (m.after - m.before),
                        m.worse,
                        m.better,
                        m.p,
                        percent(m.detectable_in_noise),
                        m.mark()
                    )?;
                }
                b.worse()
                    .map(|c| (c.case.clone(), format!("{} {:.2} → {:.2}; {}", c.metric, c.before, c.after, c.note)))
                    .collect()
            }
            None => {
                let failing = self.gates.iter().filter(|g| g.verdict == Verdict::Failed).flat_map(|g| &g.failing);
                let mut rows: Vec<(String, String)> = failing.map(|f| (f.id.clone(), f.note.clone())).collect();
                let mut seen = std::collections::HashSet::new();
                rows.retain(|(id, _)| seen.insert(id.clone()));
                rows
            }
        };
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n| case | what went wrong |\n|---|---|")?;
        for (id, note) in rows.iter().take(NAMED) {
            writeln!(out, "| {} | {} |", cell(id), cell(note))?;
        }
        if rows.len() > NAMED {
            writeln!(out, "\n… and {} more", rows.len() - NAMED)?;
        }
        Ok(())
    }
}

fn bounds(gate: &Gated) -> String {
    let bounds = [("≥", gate.min), ("≤", gate.max)];
    let bounds: Vec<String> = bounds.iter().filter_map(|(sign, b)| b.map(|b| format!("{sign} {}", percent(Some(b))))).collect();
    bounds.join(", ")
}

/// Text in a cell of a Markdown table: one line, no markup of its own, not endless.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars().take(300) {
        match c {
            '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '\\' | '#' | '@' => cell.extend(['\\', c]),
            c if c.is_control() => cell.push(' '),
            c => cell.push(c),
        }
    }
    if text.chars().nth(300).is_some() { cell + "…" } else { cell }
}

struct Test {
    class: String,
    name: String,
    failure: Option<String>,
    skipped: Option<String>,
}

impl Test {
    fn of_case(outcome: &Outcome) -> Self {
        let failed = outcome.error.is_none() && !outcome.note.is_empty();
        Self {
            class: outcome.setting.clone(),
            name: format!("{} {}", outcome.id, outcome.question),
            failure: failed.then(|| outcome.note.clone()),
            skipped: outcome.error.as_ref().map(|e| format!("not measured: {e}")),
        }
    }

    fn of_gate(gate: &Gated) -> Self {
        let failed = gate.verdict == Verdict::Failed;
        Self {
            class: "gates".into(),
            name: format!("{} {}", gate.label(), bounds(gate)),
            failure: failed.then(|| format!("{} over {} cases, must be {}", percent(gate.value), gate.n, bounds(gate))),
            skipped: (gate.verdict == Verdict::Inconclusive).then(|| "there is no case it could be measured on".into()),
        }
    }
}

fn suite(out: &mut String, name: &str, tests: &[Test]) -> fmt::Result {
    let count = |f: fn(&Test) -> bool| tests.iter().filter(|t| f(t)).count();
    writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">",
        xml(name),
        tests.len(),
        count(|t| t.failure.is_some()),
        count(|t| t.skipped.is_some())
    )?;
    for test in tests {
        write!(out, "    <testcase classname=\"{}\" name=\"{}\"", xml(&test.class), xml(&test.name))?;
        match (&test.failure, &test.skipped) {
            (Some(reason), _) => writeln!(out, "><failure message=\"{}\"/></testcase>", xml(reason))?,
            (None, Some(reason)) => writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(reason))?,
            (None, None) => writeln!(out, "/>")?,
        }
    }
    writeln!(out, "  </testsuite>")
}

/// Text in an attribute; characters that XML 1.0 cannot hold at all become U+FFFD.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Options, Record, shelf::Shelf};

    const SUITE: &str = "version = 1\nname = \"小 & little\"\ncorpus = \"reports\"\n
[[gates]]\nmetric = \"answer.facts\"\nmin = 0.9\n[[gates]]\nmetric = \"refusal.recall\"\nmin = 1.0\n";

    /// Six answerable cases; the text of the report decides which are answered rightly.
    async fn run(report: &str, baseline: Option<Record>) -> Result<Report, crate::EvalError> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("reports")).unwrap();
        fs::write(dir.path().join("reports/甲.txt"), report).unwrap();
        fs::write(dir.path().join("suite.toml"), SUITE).unwrap();
        let case = |i: usize| {
            format!(
                "{{\"id\":\"例{i}\",\"question\":\"甲公司第{i}号产品<毛利率>是多少?\",\"lang\":\"zh\",\"answerable\":true,\"facts\":[{{\"any\":[\"1{i}.5%\"]}}],\"tags\":[]}}\n"
            )
        };
        let failing = "{\"id\":\"fail\",\"question\":\"fail\",\"lang\":\"en\",\"answerable\":false,\"tags\":[]}\n";
        fs::write(dir.path().join("cases.jsonl"), (0..6).map(case).collect::<String>() + failing).unwrap();
        let guard = crate::Guard { allow_corpus_change: true, ..crate::Guard::default() };
        let options = Options { baseline, guard, ..Options::default() };
        crate::run(&Shelf::default(), dir.path(), &options, &|_| {}).await
    }

    fn report(percent: usize) -> String {
        (0..6).map(|i| format!("甲公司第{i}号产品毛利率为{percent}{i}.5%\n")).collect()
    }

    #[tokio::test]
    async fn junit_holds_gates_failures_with_reasons_and_skipped_cases() {
        let xml = run(&report(2), None).await.unwrap().junit();
        let suites: Vec<&str> = xml.lines().filter(|l| l.contains("<testsuite ")).collect();
        assert_eq!(
            suites,
            [
                r#"  <testsuite name="小 &amp; little gates" tests="2" failures="1" errors="0" skipped="1">"#,
                r#"  <testsuite name="小 &amp; little all" tests="7" failures="6" errors="0" skipped="1">"#,
            ]
        );
        assert!(
            xml.contains(
                "name=\"例0 甲公司第0号产品&lt;毛利率&gt;是多少?\"><failure message=\"answer wrong; does not say “10.5%”\"/>"
            ),
            "{xml}"
        );
        assert!(xml.contains("<skipped message=\"not measured: no store\"/>") && xml.ends_with("</testsuites>\n"), "{xml}");
    }

    #[tokio::test]
    async fn a_baseline_turns_a_drop_into_a_failure_and_the_summary_names_it() {
        let good = run(&report(1), None).await.unwrap();
        let baseline = Record::of(&good);
        let same = run(&report(1), Some(baseline.clone())).await.unwrap();
        assert!(!same.baseline.as_ref().unwrap().dropped());
        let worse = run(&report(2), Some(baseline)).await.unwrap();
        let compared = worse.baseline.as_ref().unwrap();
        assert!(compared.dropped(), "{}", worse.table());
        assert_eq!(compared.worse().count(), 6);
        let summary = worse.summary();
        assert!(summary.contains("| `answer.facts` | 100.0 | 0.0 | -100.0 | 6 / 0 | 0.031"), "{summary}");
        assert!(summary.contains("| 例3 | answer.facts 1.00 → 0.00; answer wrong"), "{summary}");
        assert!(worse.junit().contains("name=\"answer.facts does not drop\"><failure"), "{}", worse.junit());
    }

    #[tokio::test]
    async fn a_summary_stays_under_sixty_kilobytes_and_names_ten_cases() {
        let mut report = run(&report(2), None).await.unwrap();
        let failing = report.gates[0].failing[0].clone();
        let many = (0..500).map(|i| crate::report::Failing { id: format!("例{i} {}", "长".repeat(9000)), ..failing.clone() });
        report.gates[0].failing = many.collect();
        let summary = report.summary();
        assert!(summary.len() <= 61_000 && summary.matches("| 例").count() == 10, "{}", summary.len());
        assert!(summary.contains("… and 490 more"));
        report.settings[0].metrics = vec![report.settings[0].metrics[0].clone(); 5000];
        assert!(report.summary().len() < 61_000 && report.summary().ends_with("cut at 60 KB\n"));
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(xml("a\u{1}<\"b\">&\n界"), "a\u{fffd}&lt;&quot;b&quot;&gt;&amp;&#10;界");
        assert_eq!(cell("a|b\n<script> @all"), "a\\|b \\<script\\> \\@all");
    }
}
