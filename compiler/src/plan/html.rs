//! The plan as a page that needs nothing else: the picture, what each step depends on, and the image's documents.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::diagram::{escaped, kind};
use super::{Forecast, Plan};

impl Plan {
    /// As a page on its own: no script, style or font comes from elsewhere.
    #[must_use]
    pub fn to_html(&self, forecast: Option<&Forecast>) -> String {
        let target = escaped(&self.target);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(kind(step)).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <title>plan of {target}</title>\n<style>{PAGE_STYLE}</style></head>\n<body>\n\
             <header><h1>{target}</h1><p>{platform} · {steps} steps: {counts}</p>{forecast}</header>\n\
             <main><figure>{picture}</figure>\n\
             <aside><h2>Step</h2><pre id=\"step\">Point at a step, or move to it with the tab key.</pre></aside></main>\n\
             {documents}<script>{SCRIPT}</script>\n</body></html>\n",
            platform = escaped(&self.platform.to_string()),
            steps = self.steps.len(),
            counts = counts.join(", "),
            forecast = forecast.map_or_else(String::new, |forecast| format!(
                "<p>The next build: {}.</p>",
                escaped(&forecast.summary(self))
            )),
            picture = self.to_svg(forecast),
            documents = self.documents(),
        )
    }

    /// The image's configuration and history.
    fn documents(&self) -> String {
        let config = serde_json::to_string_pretty(&self.image.config).unwrap_or_default();
        let mut out = format!(
            "<section><h2>Image</h2><pre>{}</pre></section>\n<section><h2>History</h2><table><tr><th>step<th>created by</tr>\n",
            escaped(&config)
        );
        for planned in &self.image.history {
            let step = planned.names();
            let _ = writeln!(out, "<tr><td>{step}<td><code>{}</code></tr>", escaped(&planned.entry.created_by));
        }
        out.push_str("</table></section>\n");
        out
    }
}

const PAGE_STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2328;--soft:#6a737d;--rule:#e3e3de;--shade:#f5f5f2}\
@media(prefers-color-scheme:dark){:root{--paper:#16191d;--ink:#e6e8eb;--soft:#98a1ab;--rule:#2c3238;--shade:#1e2227}}\
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
header,section{padding:0 24px}h1{font-size:22px;margin:20px 0 0}h2{font-size:14px;color:var(--soft);margin:20px 0 6px}\
p{margin:0 0 14px;color:var(--soft)}main{display:flex;border-block:1px solid var(--rule);max-height:76vh}\
figure{margin:0;overflow:auto;flex:1}aside{flex:0 0 360px;border-inline-start:1px solid var(--rule);overflow:auto;padding:0 16px}\
aside h2{margin-top:12px}pre,code{font:12px/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}\
pre{margin:0}section pre{background:var(--shade);padding:12px;border-radius:8px}\
table{border-collapse:collapse;width:100%;margin-bottom:28px}th{text-align:left;color:var(--soft);font-weight:600}\
td,th{padding:4px 12px 4px 0;border-bottom:1px solid var(--rule);vertical-align:top}\
svg .step{cursor:default;outline:none}svg.chosen .step,svg.chosen .edge{opacity:.25}\
svg.chosen .step.near,svg.chosen .edge.near{opacity:1}svg.chosen .step.at rect{stroke-width:2.5}\
@media(max-width:800px){main{display:block;max-height:none}aside{border:0;border-top:1px solid var(--rule)}}";

/// Shows a step with its inputs and users, and the text of it.
const SCRIPT: &str = "\
const svg=document.querySelector('svg'),panel=document.getElementById('step');\
const edges=[...svg.querySelectorAll('.edge')];\
for(const step of svg.querySelectorAll('.step')){\
const title=step.querySelector('title'),text=title.textContent;title.remove();step.setAttribute('aria-label',text);\
const show=()=>{clear();svg.classList.add('chosen');step.classList.add('near','at');panel.textContent=text;\
for(const edge of edges){const{from,to}=edge.dataset,id=step.dataset.step;if(from===id||to===id){edge.classList.add('near');\
for(const other of[from,to])svg.querySelector(`.step[data-step='${other}']`).classList.add('near')}}};\
step.addEventListener('mouseenter',show);step.addEventListener('focus',show);step.addEventListener('mouseleave',clear)}\
function clear(){svg.classList.remove('chosen');\
for(const element of svg.querySelectorAll('.near'))element.classList.remove('near','at')}";
