// The web page: how a person asks, follows each citation back to its place on the page, and looks after the documents.
//
// Data from the server only ever becomes text nodes; nothing is parsed as HTML. Offsets on the wire count Unicode code
// points, strings here count UTF-16 units: `units` converts, and nothing else does.

// ---------------------------------------------------------------------------------------------------- words

const WORDS = {
  en: {
    "nav": "Sections",
    "scenario": "Scenario",
    "theme": "Colours",
    "theme.auto": "Colours: as the system",
    "theme.light": "Colours: light",
    "theme.dark": "Colours: dark",
    "cancel": "Cancel",
    "close": "Close",
    "retry": "Try again",
    "dismiss": "Dismiss",

    "welcome.title": "Ask your reports",
    "welcome.text": "Every statement leads back to its place on the page. When the documents do not carry an answer, that is what you are told.",
    "welcome.empty": "There are no documents in this scenario yet.",
    "welcome.add": "Add documents",

    "ask.tab": "Ask",
    "ask.label": "Question",
    "ask.placeholder": "Ask about the documents…",
    "ask.hint": "Enter to ask, Shift+Enter for a new line",
    "ask.send": "Ask",
    "ask.stop": "Stop",
    "ask.fresh": "New conversation",
    "ask.history": "Questions",
    "options": "Options",
    "options.set": "Options ({n} set)",
    "options.extractive": "Quotes only, no model",
    "options.as_of": "As of",

    "state.searching": "Searching the documents…",
    "state.reading": "Reading the evidence…",
    "state.reading.n": "Reading {n} passages…",
    "state.writing": "Writing and checking the citations…",
    "state.stopped": "Stopped. What stands here has not been checked.",
    "state.unfinished": "Broken off. What stands here has not been checked.",
    "said.done": "Answer complete: {verdict}, {n} citations.",

    "verdict.answered": "Answered",
    "verdict.partial": "Partly answered",
    "verdict.refused": "Not answered",
    "reason.no_evidence": "No evidence in the documents",
    "reason.weak_evidence": "The evidence is too weak",
    "reason.conflict": "The sources contradict each other",
    "reason.stale": "The sources are out of date",
    "reason.out_of_scope": "Outside what these documents cover",
    "reason.provider": "The model is unavailable",
    "nearest": "Nearest passages",
    "nearest.note": "These came closest. They do not prove an answer.",
    "degraded": "Worked with limits: {reason}",
    "degraded.vectors_pending": "Some documents were searched by their words only: their vectors are still being computed.",
    "degraded.words_only": "The encoder could not be reached: the documents were searched by their words only.",
    "degraded.model_fallback": "The first model failed. Another one answered.",
    "degraded.model_unavailable": "The model could not be reached. The answer is quoted from the documents.",
    "revised": "Revised after its citations were checked.",
    "sources": "Sources",
    "cite": "Citation {n}: {title}",
    "weak": "weak support",
    "copy": "Copy",
    "copied": "Copied",
    "model.extractive": "quoted, no model",
    "time.retrieve": "search {s}",
    "time.first": "first words {s}",
    "time.total": "total {s}",
    "tokens": "{in} + {out} tokens",
    "feedback.up": "Good answer",
    "feedback.down": "Poor answer",
    "feedback.what": "What is wrong? (optional)",
    "feedback.send": "Send",
    "feedback.thanks": "Thank you",

    "page": "p. {n}",
    "page.label": "p. {n} · {label}",
    "part": "part {n}",
    "panel": "Source",
    "panel.loading": "Loading the page…",
    "panel.text": "Text",
    "panel.page": "Page",
    "panel.view": "View",
    "panel.previous": "Previous page",
    "panel.next": "Next page",
    "panel.position": "{n} / {of}",
    "panel.back": "Back to the quote",
    "panel.changed": "This document has changed since: the quote is from version {old}, the page shown is from version {new}.",
    "panel.lost": "The quote could not be located in the text of this page.",
    "panel.drawing": "Page {n}, drawn from the positions of its words",
    "panel.in": "Larger",
    "panel.out": "Smaller",
    "panel.empty": "This page has no text.",
    "download": "Download original",

    "docs.tab": "Documents",
    "docs.drop": "Drop files or folders here: PDF, Word, Excel, PowerPoint, HTML, Markdown, text.",
    "docs.choose": "Choose files",
    "docs.refresh": "Refresh",
    "docs.more": "Show more",
    "docs.none": "No documents yet.",
    "docs.pages": "{n} pages",
    "docs.passages": "{n} passages",
    "docs.version": "version {n}",
    "docs.delete": "Delete",
    "docs.delete.ask": "Delete “{title}”?",
    "docs.delete.note": "Its passages are no longer found or cited. This cannot be undone.",
    "docs.deleted": "Deleted “{title}”.",
    "docs.waiting": "Waiting",
    "docs.uploading": "Uploading",
    "docs.unchanged": "Already here, unchanged",
    "status.queued": "Queued",
    "status.running": "Working",
    "status.searchable": "Searchable by words",
    "status.ready": "Ready",
    "status.failed": "Failed",
    "status.quarantined": "Quarantined",
    "stage.parse": "reading",
    "stage.index": "indexing",
    "stage.embed": "computing vectors",

    "key.title": "This server asks for a key",
    "key.label": "Key",
    "key.note": "Kept in this tab only, and forgotten when it closes.",
    "key.wrong": "The server did not accept this key.",
    "key.use": "Use key",
    "key.forget": "Forget key",

    "problem.unreachable": "The server cannot be reached. Is it running?",
    "problem.stalled": "The connection went silent. The answer did not arrive.",
    "problem.broken_off": "The connection ended before the answer was complete.",
    "problem.unreadable": "The server sent something this page cannot read.",
    "problem.http": "The server answered with status {status}.",
    "problem.request": "request {id}",
  },
  zh: {
    "nav": "栏目",
    "scenario": "场景",
    "theme": "配色",
    "theme.auto": "配色：跟随系统",
    "theme.light": "配色：浅色",
    "theme.dark": "配色：深色",
    "cancel": "取消",
    "close": "关闭",
    "retry": "重试",
    "dismiss": "移除",

    "welcome.title": "向报告提问",
    "welcome.text": "每句回答都能点回原文所在的页面和位置。资料不足以回答时，会如实告知。",
    "welcome.empty": "该场景中还没有文档。",
    "welcome.add": "添加文档",

    "ask.tab": "提问",
    "ask.label": "问题",
    "ask.placeholder": "就文档内容提问…",
    "ask.hint": "Enter 提问，Shift+Enter 换行",
    "ask.send": "提问",
    "ask.stop": "停止",
    "ask.fresh": "新对话",
    "ask.history": "本次提问",
    "options": "选项",
    "options.set": "选项（已设 {n} 项）",
    "options.extractive": "仅摘录原文，不用模型",
    "options.as_of": "截至日期",

    "state.searching": "正在检索文档…",
    "state.reading": "正在阅读证据…",
    "state.reading.n": "正在阅读 {n} 个段落…",
    "state.writing": "正在撰写并核对引用…",
    "state.stopped": "已停止。以上内容未经核对。",
    "state.unfinished": "已中断。以上内容未经核对。",
    "said.done": "回答完成：{verdict}，{n} 条引用。",

    "verdict.answered": "已回答",
    "verdict.partial": "部分回答",
    "verdict.refused": "未作回答",
    "reason.no_evidence": "文档中没有相关证据",
    "reason.weak_evidence": "证据不足",
    "reason.conflict": "来源相互矛盾",
    "reason.stale": "来源已过时",
    "reason.out_of_scope": "超出文档涵盖的范围",
    "reason.provider": "模型不可用",
    "nearest": "最接近的段落",
    "nearest.note": "以下段落最为接近，但不足以证明答案。",
    "degraded": "本次回答受限：{reason}",
    "degraded.vectors_pending": "部分文档仅按字词检索，其向量仍在计算中。",
    "degraded.words_only": "向量模型无法连接，仅按字词检索。",
    "degraded.model_fallback": "首选模型未能回答，由备用模型作答。",
    "degraded.model_unavailable": "模型无法连接，回答摘录自原文。",
    "revised": "核对引用后已修订。",
    "sources": "引用来源",
    "cite": "引用 {n}：{title}",
    "weak": "支持较弱",
    "copy": "复制",
    "copied": "已复制",
    "model.extractive": "原文摘录，未用模型",
    "time.retrieve": "检索 {s}",
    "time.first": "首字 {s}",
    "time.total": "共 {s}",
    "tokens": "{in} + {out} 词元",
    "feedback.up": "回答有用",
    "feedback.down": "回答有误",
    "feedback.what": "哪里不对？（可不填）",
    "feedback.send": "发送",
    "feedback.thanks": "感谢反馈",

    "page": "第 {n} 页",
    "page.label": "第 {n} 页 · {label}",
    "part": "第 {n} 部分",
    "panel": "出处",
    "panel.loading": "正在载入页面…",
    "panel.text": "文本",
    "panel.page": "版面",
    "panel.view": "视图",
    "panel.previous": "上一页",
    "panel.next": "下一页",
    "panel.position": "{n} / {of}",
    "panel.back": "回到引文",
    "panel.changed": "文档此后有更新：引文出自版本 {old}，当前显示的是版本 {new}。",
    "panel.lost": "未能在本页文本中定位引文。",
    "panel.drawing": "第 {n} 页，按文字位置绘制",
    "panel.in": "放大",
    "panel.out": "缩小",
    "panel.empty": "本页没有文字。",
    "download": "下载原件",

    "docs.tab": "文档",
    "docs.drop": "将文件或文件夹拖到此处：PDF、Word、Excel、PowerPoint、HTML、Markdown、纯文本。",
    "docs.choose": "选择文件",
    "docs.refresh": "刷新",
    "docs.more": "显示更多",
    "docs.none": "还没有文档。",
    "docs.pages": "{n} 页",
    "docs.passages": "{n} 个段落",
    "docs.version": "版本 {n}",
    "docs.delete": "删除",
    "docs.delete.ask": "删除“{title}”？",
    "docs.delete.note": "其段落将不再被检索和引用。此操作无法撤销。",
    "docs.deleted": "已删除“{title}”。",
    "docs.waiting": "等待上传",
    "docs.uploading": "上传中",
    "docs.unchanged": "已存在，内容未变",
    "status.queued": "排队中",
    "status.running": "处理中",
    "status.searchable": "可按字词检索",
    "status.ready": "就绪",
    "status.failed": "失败",
    "status.quarantined": "已隔离",
    "stage.parse": "解析",
    "stage.index": "建立索引",
    "stage.embed": "计算向量",

    "key.title": "此服务需要密钥",
    "key.label": "密钥",
    "key.note": "仅保存在当前标签页，关闭后即清除。",
    "key.wrong": "服务器未接受该密钥。",
    "key.use": "使用密钥",
    "key.forget": "清除密钥",

    "problem.unreachable": "无法连接服务器。服务是否在运行？",
    "problem.stalled": "连接长时间没有响应，回答未能送达。",
    "problem.broken_off": "回答尚未完成，连接已中断。",
    "problem.unreadable": "服务器返回了本页面无法识别的内容。",
    "problem.http": "服务器返回状态 {status}。",
    "problem.request": "请求 {id}",
  },
};

// Storage may be forbidden or full; the page works without it.
const kept = (storage, name) => { try { return window[storage].getItem(`dossier.${name}`); } catch { return null; } };
const keep = (storage, name, value) => {
  try {
    if (value == null) window[storage].removeItem(`dossier.${name}`);
    else window[storage].setItem(`dossier.${name}`, value);
  } catch { /* kept for this page view only */ }
};

let language = kept("localStorage", "language")
  ?? ((navigator.languages?.find((l) => /^(zh|en)\b/i.test(l)) ?? "en").toLowerCase().startsWith("zh") ? "zh" : "en");

/** The words for `name` in the language of the page, with `{slots}` filled. */
function t(name, slots = {}) {
  const words = WORDS[language][name] ?? WORDS.en[name] ?? name;
  return words.replace(/\{(\w+)\}/g, (whole, slot) => slots[slot] ?? whole);
}
const known = (name) => name in WORDS.en;
const locale = () => (language === "zh" ? "zh-CN" : "en");
const number = (n) => new Intl.NumberFormat(locale()).format(n);
const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`);
const day = (time) => { const d = new Date(time); return Number.isNaN(d.getTime()) ? "" : d.toLocaleDateString(locale(), { dateStyle: "medium" }); };
function size(bytes) {
  const [n, unit] = bytes < 1024 ? [bytes, "B"] : bytes < 1024 ** 2 ? [bytes / 1024, "KB"] : [bytes / 1024 ** 2, "MB"];
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: n < 10 ? 1 : 0 }).format(n)} ${unit}`;
}

// ---------------------------------------------------------------------------------------------------- elements

const $ = (id) => document.getElementById(id);

/** An element with attributes (`on…` are listeners) and children; strings become text nodes. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.flat(Infinity).filter((c) => c != null && c !== false));
  return element;
}
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...children.filter((c) => c != null));
  return element;
}
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
}

const ICONS = {
  auto: "M12 3a9 9 0 1 0 0 18V3z M12 3a9 9 0 0 1 0 18",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 2v2 M12 20v2 M2 12h2 M20 12h2 M5 5l1.4 1.4 M17.6 17.6 19 19 M19 5l-1.4 1.4 M6.4 17.6 5 19",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  close: "M6 6l12 12 M18 6 6 18",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  up: "M7 11v9H4v-9z M7 11l4-8a2.5 2.5 0 0 1 2.5 2.5V9H19a2 2 0 0 1 2 2.3l-1.1 7A2 2 0 0 1 17.9 20H7",
  down: "M17 13V4h3v9z M17 13l-4 8a2.5 2.5 0 0 1-2.5-2.5V15H5a2 2 0 0 1-2-2.3l1.1-7A2 2 0 0 1 6.1 4H17",
  copy: "M9 9h11v11H9z M5 15H4V4h11v1",
  download: "M12 4v11 M7 11l5 5 5-5 M4 20h16",
  trash: "M4 7h16 M9 7V4h6v3 M6 7l1 13h10l1-13",
  plus: "M12 5v14 M5 12h14",
  minus: "M5 12h14",
};
const icon = (name) => svg("svg", { viewBox: "0 0 24 24", class: `glyph ${name}`, "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));

/** A button that is only an icon, named for those who cannot see it. */
const iconButton = (name, label, onclick, more = {}) =>
  h("button", { type: "button", class: "plain icon", "aria-label": label, title: label, onclick, ...more }, icon(name));

const say = (text) => { $("status").textContent = text; };

/** UTF-16 position of each code point of `text`, as a function. */
function units(text) {
  // Almost no page holds characters beyond the basic plane; then the two ways of counting agree.
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return (point) => Math.min(point, text.length);
  const at = [];
  let unit = 0;
  for (const character of text) { at.push(unit); unit += character.length; }
  return (point) => at[point] ?? text.length;
}

// ---------------------------------------------------------------------------------------------------- server

/** A failure in the words of the server (a problem document), or in ours (`local`: its code names the words). */
class Problem extends Error {
  constructor(fields) { super(fields.detail ?? fields.code); Object.assign(this, fields); }

  static local(code, slots = {}) { return new Problem({ local: true, code, slots, retryable: true }); }

  static async of(response) {
    try {
      const body = await response.json();
      if (body && typeof body === "object" && (body.detail ?? body.title)) return new Problem({ ...body, status: response.status });
    } catch { /* no problem document: told by its status */ }
    return Object.assign(Problem.local("http", { status: response.status }), { status: response.status });
  }

  view(retry) {
    const notes = [!this.local && this.code, this.request_id && t("problem.request", { id: this.request_id })].filter(Boolean);
    return h("div", { class: "problem", role: "alert" },
      h("p", {}, this.local ? t(`problem.${this.code}`, this.slots) : this.detail ?? this.title),
      notes.length > 0 && h("p", { class: "code" }, notes.join(" · ")),
      retry && this.retryable !== false && h("button", { type: "button", class: "plain", onclick: retry }, t("retry")));
  }
}
const problemOf = (error) => (error instanceof Problem ? error : (console.error(error), Problem.local("unreadable")));

let key = kept("sessionStorage", "key");

/** A request with the key, if there is one; asks the person for a key when the server does. */
async function call(path, options = {}) {
  for (;;) {
    const used = key;
    const headers = { ...options.headers, ...(used && { authorization: `Bearer ${used}` }) };
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      throw options.signal?.aborted ? error : Problem.local("unreachable");
    }
    if (response.ok) return response;
    if (response.status === 401 && await newKey(used)) continue;
    throw await Problem.of(response);
  }
}
async function json(path, options) {
  const response = await call(path, options);
  try { return await response.json(); } catch { throw Problem.local("unreadable"); }
}
const post = (path, body, options = {}) =>
  call(path, { method: "POST", headers: { "content-type": "application/json", ...options.headers }, body: JSON.stringify(body), signal: options.signal });

let asking = null;
/** Whether there is another key to try than the one used: just entered elsewhere, or entered now. */
function newKey(used) {
  if (key && key !== used) return true;
  asking ??= new Promise((resolve) => {
    const dialog = $("key");
    $("key-wrong").hidden = !used;
    $("key-field").value = "";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      asking = null;
      const entered = $("key-field").value.trim();
      $("key-field").value = "";
      const given = dialog.returnValue === "yes" && entered !== "";
      if (given) setKey(entered);
      resolve(given);
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
function setKey(value) {
  key = value;
  keep("sessionStorage", "key", value);
  $("key-button").hidden = !key;
}

/** The events of a server-sent event stream as `[name, data]`. Comments are ignored, an event cut off at the end is dropped. */
async function* events(body, heard) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = "", name = "message", data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      buffer += decoder.decode(value, { stream: true });
      for (;;) {
        const end = buffer.search(/[\r\n]/);
        // A CR at the very end may be half of a CRLF: wait for what follows.
        if (end < 0 || (buffer[end] === "\r" && end === buffer.length - 1)) break;
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + (buffer.startsWith("\r\n", end) ? 2 : 1));
        if (line === "") {
          if (data.length > 0) yield [name, data.join("\n")];
          name = "message";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const content = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") name = content;
        else if (field === "data") data.push(content);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// ---------------------------------------------------------------------------------------------------- asking

const SILENCE_MS = 45_000; // the server pings every 10 s at the latest
const TURNS_SENT = 6;
const CHARACTERS_SENT = 4_000;

let scenario = kept("localStorage", "scenario") ?? "default";
let running = null; // { turn, abort } while a question is being answered
let hasFeedback = null; // a promise, once asked

/** The turns of this tab, oldest first: { question, scenario, request, answer?, text, citations, state, problem?, view }. */
const turns = [];

const at = (scenario, rest = "") => `/v1/scenarios/${encodeURIComponent(scenario)}${rest}`;
const documentPath = (scenario, id, rest = "") => at(scenario, `/documents/${encodeURIComponent(id)}${rest}`);

/** What was said before in this scenario, without the markers: they point into other evidence. */
function history() {
  return turns.filter((turn) => turn.scenario === scenario && turn.state === "done").slice(-TURNS_SENT).flatMap((turn) => [
    { role: "user", content: turn.question },
    { role: "assistant", content: [...turn.text.replace(/\s?\[\d{1,3}\]/g, "")].slice(0, CHARACTERS_SENT).join("") },
  ]).filter((said) => said.content.trim() !== "");
}

function ask(question, request) {
  request ??= {
    question, scenario, history: history(), stream: true,
    mode: $("extractive").checked ? "extractive" : "answer",
    ...($("as-of").value && { as_of: $("as-of").value }),
  };
  const turn = { question, scenario: request.scenario, request, text: "", citations: [], state: "searching" };
  turns.push(turn);
  show(turn);
  turn.view.root.scrollIntoView({ block: "start" });
  return run(turn);
}

async function run(turn) {
  const abort = new AbortController();
  let silence;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => abort.abort("stalled"), SILENCE_MS);
  };
  running = { turn, abort };
  composerChanged();
  say(t("state.searching"));
  try {
    const response = await post("/v1/ask", turn.request, { headers: { accept: "text/event-stream" }, signal: abort.signal });
    heard();
    if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) settle(turn, await response.json());
    else for await (const [name, data] of events(response.body, heard)) {
      receive(turn, name, JSON.parse(data));
      if (turn.state === "done" || turn.state === "failed") break;
    }
    if (turn.state !== "done" && turn.state !== "failed") throw Problem.local("broken_off");
  } catch (error) {
    if (abort.signal.aborted && abort.signal.reason !== "stalled") turn.state = "stopped";
    else {
      turn.state = "failed";
      turn.problem = abort.signal.aborted || (error instanceof TypeError && !(error instanceof Problem))
        ? Problem.local(abort.signal.aborted ? "stalled" : "broken_off") : problemOf(error);
    }
  } finally {
    clearTimeout(silence);
    running = null;
    composerChanged();
    update(turn);
    keepTurns();
  }
  if (turn.state === "stopped") say(t("state.stopped"));
  if (turn.state === "done") say(t("said.done", { verdict: t(`verdict.${turn.answer.verdict}`), n: turn.citations.length }));
}

function receive(turn, name, data) {
  switch (name) {
    case "retrieval.completed":
      turn.state = "reading";
      turn.found = [data?.passages, data?.hits, data?.data, data?.count].map((f) => (Array.isArray(f) ? f.length : f)).find(Number.isInteger);
      return update(turn);
    case "answer.delta":
      turn.text += data.text;
      if (turn.state === "writing") return soon(turn);
      turn.state = "writing";
      return update(turn);
    case "citation.added":
      turn.citations = [...turn.citations.filter((c) => c.marker !== data.marker), data].sort((a, b) => a.marker - b.marker);
      return update(turn);
    case "answer.revised":
      turn.revised = true;
      turn.text = data.text ?? turn.text;
      turn.citations = data.citations ?? turn.citations;
      return update(turn);
    case "answer.completed":
    case "answer.refused":
      return settle(turn, data);
    case "error":
      turn.state = "failed";
      turn.problem = new Problem(data);
      return undefined;
    default: // `answer.created`, and whatever is added later
      return undefined;
  }
}
function settle(turn, answer) {
  turn.answer = answer;
  turn.text = answer.text ?? "";
  turn.citations = answer.citations ?? [];
  turn.state = "done";
}

/** Paint the growing text once per frame, however fast it comes. */
function soon(turn) {
  turn.frame ??= requestAnimationFrame(() => { turn.frame = null; paint(turn); follow(); });
}
/** Keep the end in view for a reader who is there. */
function follow() {
  const thread = $("thread");
  if (thread.scrollHeight - thread.scrollTop - thread.clientHeight < 120) thread.scrollTop = thread.scrollHeight;
}

// A turn outlives a reload of the tab, and ends with it.
function keepTurns() {
  keep("sessionStorage", "turns", JSON.stringify(turns.filter((turn) => turn.state === "done" || turn.state === "stopped")
    .slice(-30).map(({ question, scenario, request, answer, text, citations, state, revised }) =>
      ({ question, scenario, request: { ...request, history: [] }, answer, text, citations, state, revised }))));
}
function recallTurns() {
  try {
    for (const turn of JSON.parse(kept("sessionStorage", "turns") ?? "[]")) { turns.push(turn); show(turn); }
  } catch { keep("sessionStorage", "turns", null); }
}

// ---------------------------------------------------------------------------------------------------- a turn on the page

function show(turn) {
  const head = h("div"), body = h("div", { class: "text", "aria-live": "polite" }), foot = h("div");
  const root = h("article", { class: "turn", tabindex: "-1" }, h("h2", { class: "asked" }, turn.question), head, body, foot);
  turn.view = { root, head, body, foot, blocks: [] };
  $("turns").append(root);
  update(turn);
  questionsChanged();
}

function update(turn) {
  const { head, body, foot } = turn.view;
  const { answer, state } = turn;
  const going = state === "searching" || state === "reading" || state === "writing";
  body.setAttribute("aria-busy", going);
  body.classList.toggle("unchecked", state === "stopped" || state === "failed");
  paint(turn);
  head.replaceChildren(...[
    state === "searching" && h("p", { class: "working" }, t("state.searching")),
    state === "reading" && h("p", { class: "working" }, turn.found == null ? t("state.reading") : t("state.reading.n", { n: number(turn.found) })),
    state === "writing" && h("p", { class: "working" }, t("state.writing")),
    state === "done" && h("p", { class: "verdicts" },
      h("span", { class: `badge ${answer.verdict}` }, t(`verdict.${answer.verdict}`)),
      answer.refusal && h("span", { class: "reason" }, known(`reason.${answer.refusal.reason}`) ? t(`reason.${answer.refusal.reason}`) : answer.refusal.reason)),
    answer?.degraded && h("p", { class: "notice" }, known(`degraded.${answer.degraded.reason}`)
      ? t(`degraded.${answer.degraded.reason}`) : t("degraded", { reason: answer.degraded.reason })),
  ].filter(Boolean));
  foot.replaceChildren(...[
    state === "stopped" && h("p", { class: "notice" }, t("state.stopped"), " ",
      h("button", { type: "button", class: "plain", onclick: () => again(turn) }, t("retry"))),
    state === "failed" && turn.text !== "" && h("p", { class: "notice" }, t("state.unfinished")),
    state === "failed" && turn.problem.view(() => again(turn)),
    turn.revised && state === "done" && h("p", { class: "faint" }, t("revised")),
    turn.citations.length > 0 && sources(turn),
    answer?.refusal?.nearest?.length > 0 && nearest(turn),
    state === "done" && facts(turn),
  ].filter(Boolean));
}

function again(turn) {
  if (running) return;
  turns.splice(turns.indexOf(turn), 1);
  turn.view.root.remove();
  ask(turn.question, turn.request);
}

/** The text of the answer. Blocks that did not change keep their elements, and with them the focus. */
function paint(turn) {
  const { body } = turn.view;
  const text = turn.text || (turn.answer?.refusal?.message ?? "");
  const before = turn.view.blocks;
  turn.view.blocks = blocksOf(text).map((block, i) => {
    const markers = [...block.source.matchAll(/\[(\d{1,3})\]/g)].map((m) => turn.citations.some((c) => c.marker === Number(m[1])));
    const id = `${block.start} ${turn.state === "writing"} ${markers} ${language} ${block.source}`;
    if (before[i]?.id === id) return before[i];
    const nodes = [];
    return { id, nodes, element: blockElement(turn, block, nodes) };
  });
  const elements = turn.view.blocks.map((block) => block.element);
  elements.forEach((element, i) => { if (body.children[i] !== element) body.insertBefore(element, body.children[i] ?? null); });
  while (body.children.length > elements.length) body.lastChild.remove();
  if (turn.answer?.language) body.lang = turn.answer.language === "zh" ? "zh-CN" : turn.answer.language;
}

const BULLET = /^\s*[-*•]\s+/, COUNTED = /^\s*\d{1,3}[.)、]\s*(?=\D)/, TITLE = /^#{1,6}\s+/, ROW = /^\s*\|.*\|\s*$/;

/** The little Markdown that models write: paragraphs, lists, headings, tables. Each block knows where it starts. */
function blocksOf(text) {
  const blocks = [];
  let position = 0, open = null;
  for (const line of text.split("\n")) {
    const kind = line.trim() === "" ? null : BULLET.test(line) ? "ul" : COUNTED.test(line) ? "ol" : TITLE.test(line) ? "h3" : ROW.test(line) ? "table" : "p";
    if (open && kind === open.kind && kind !== "h3") open.lines.push({ line, start: position });
    else {
      if (open) blocks.push(open);
      open = kind && { kind, start: position, lines: [{ line, start: position }] };
    }
    position += line.length + 1;
  }
  if (open) blocks.push(open);
  return blocks.map((block) => ({ ...block, source: block.lines.map((l) => l.line).join("\n") }));
}
function blockElement(turn, { kind, lines }, nodes) {
  const rest = ({ line, start }, opening) => {
    const cut = line.match(opening)?.[0].length ?? 0;
    return inline(turn, line.slice(cut), start + cut, nodes);
  };
  switch (kind) {
    case "ul": return h("ul", {}, lines.map((l) => h("li", {}, rest(l, BULLET))));
    case "ol": return h("ol", { start: parseInt(lines[0].line, 10) || 1 }, lines.map((l) => h("li", {}, rest(l, COUNTED))));
    case "h3": return h("h3", {}, rest(lines[0], TITLE));
    case "table": return h("div", { class: "wide" }, h("table", {}, lines.filter(({ line }) => !/^[\s|:-]+$/.test(line)).map(({ line, start }) => {
      let position = start + line.indexOf("|") + 1;
      return h("tr", {}, line.trim().slice(1, -1).split("|").map((cell) => {
        const made = h("td", {}, inline(turn, cell, position, nodes));
        position += cell.length + 1;
        return made;
      }));
    })));
    default: return h("p", {}, lines.map((l, i) => [i > 0 && h("br"), rest(l, /^/)]));
  }
}
/** Text with bold, code and citation markers; `nodes` learns where each piece of text stands in the answer. */
function inline(turn, text, start, nodes) {
  const made = [];
  let position = start;
  for (const piece of text.split(/(\[\d{1,3}\]|\*\*[^*]+\*\*|`[^`]+`)/)) {
    if (piece === "") continue;
    const marker = piece.match(/^\[(\d+)\]$/);
    if (marker) made.push(markerElement(turn, Number(marker[1]), piece));
    else if (/^\*\*.+\*\*$/.test(piece)) made.push(h("strong", {}, inline(turn, piece.slice(2, -2), position + 2, nodes)));
    else {
      const code = /^`.+`$/.test(piece);
      const node = document.createTextNode(code ? piece.slice(1, -1) : piece);
      nodes.push({ node, start: position + (code ? 1 : 0) });
      made.push(code ? h("code", {}, node) : node);
    }
    position += piece.length;
  }
  return made;
}
function markerElement(turn, n, written) {
  const citation = turn.citations.find((c) => c.marker === n);
  if (!citation) return turn.state === "writing" ? h("span", { class: "marker pending" }, String(n)) : document.createTextNode(written);
  const weak = citation.support?.verdict === "weak";
  const label = t("cite", { n, title: citation.document.title }) + (weak ? ` (${t("weak")})` : "");
  return h("button", {
    type: "button", class: `marker${weak ? " weak" : ""}`, "aria-label": label, title: label,
    onclick: (event) => openCitation(turn, n, event.currentTarget),
    onmouseenter: () => light(turn, n), onmouseleave: () => light(),
    onfocus: () => light(turn, n), onblur: () => light(),
  }, String(n));
}

/** Light up what citation `n` supports, where the browser can do so without touching the text. */
function light(turn, n) {
  if (!globalThis.CSS?.highlights || !globalThis.Highlight) return;
  CSS.highlights.delete("supported");
  const span = turn?.citations.find((c) => c.marker === n)?.span;
  if (!span) return;
  const unit = units(turn.text);
  const [start, end] = [unit(span.start), unit(span.end)];
  const ranges = turn.view.blocks.flatMap((block) => block.nodes).flatMap(({ node, start: from }) => {
    const range = new Range();
    const [a, b] = [Math.max(start - from, 0), Math.min(end - from, node.length)];
    if (a >= b) return [];
    range.setStart(node, a);
    range.setEnd(node, b);
    return [range];
  });
  CSS.highlights.set("supported", new Highlight(...ranges));
}

const pageName = (page, part) => (page
  ? t(page.label && page.label !== String(page.index) ? "page.label" : "page", { n: page.index, label: page.label })
  : part > 1 ? t("part", { n: part }) : "");
const titleOf = (source) => source.title || source.name || source.external_id || source.id;

function sources(turn) {
  return h("section", { class: "sources" }, h("h3", {}, t("sources")), h("ol", {}, turn.citations.map((c) => h("li", {},
    h("button", {
      type: "button", onclick: (event) => openCitation(turn, c.marker, event.currentTarget),
      onmouseenter: () => light(turn, c.marker), onmouseleave: () => light(),
    },
    h("span", { class: "marker", "aria-hidden": "true" }, String(c.marker)),
    h("span", { class: "what" },
      h("span", { class: "where" },
        h("b", {}, titleOf(c.document)), " ", h("span", { class: "faint" }, pageName(c.page, c.part)),
        c.support?.verdict === "weak" && h("span", { class: "badge weak" }, t("weak"))),
      h("span", { class: "quote" }, c.quote)))))));
}
function nearest(turn) {
  return h("section", { class: "sources" }, h("h3", {}, t("nearest")), h("p", { class: "faint" }, t("nearest.note")),
    h("ol", {}, turn.answer.refusal.nearest.map(({ passage }) => h("li", {},
      h("button", { type: "button", onclick: (event) => openPassage(turn, passage, event.currentTarget) },
        h("span", { class: "what" },
          h("span", { class: "where" }, h("b", {}, titleOf(passage.document)), " ", h("span", { class: "faint" }, pageName(passage.page, passage.part))),
          h("span", { class: "quote" }, passage.text)))))));
}

/** The last line of an answer: what can be done with it, who wrote it, how long it took. */
function facts(turn) {
  const { timings = {}, usage = {}, model, id } = turn.answer;
  const facts = [
    model && (model === "extractive" ? t("model.extractive") : model),
    timings.retrieve_ms != null && t("time.retrieve", { s: seconds(timings.retrieve_ms) }),
    timings.first_token_ms != null && t("time.first", { s: seconds(timings.first_token_ms) }),
    timings.total_ms != null && t("time.total", { s: seconds(timings.total_ms) }),
    usage.prompt_tokens + usage.completion_tokens > 0 && t("tokens", { in: number(usage.prompt_tokens), out: number(usage.completion_tokens) }),
    usage.cost != null && `${usage.cost.toFixed(4)} ${usage.currency ?? ""}`.trim(),
  ].filter(Boolean);
  const thumbs = h("span", { class: "thumbs" });
  feedbackExists().then((exists) => { if (exists && id) thumbs.replaceChildren(...thumbsOf(turn)); });
  return h("div", { class: "facts" },
    h("button", { type: "button", class: "plain small", onclick: (event) => copy(turn, event.currentTarget) }, icon("copy"), h("span", {}, t("copy"))),
    thumbs, h("span", { class: "faint", title: id }, facts.join(" · ")));
}

async function copy(turn, button) {
  const list = turn.citations.map((c) => `[${c.marker}] ${[titleOf(c.document), pageName(c.page, c.part)].filter(Boolean).join(", ")}: ${c.quote}`);
  const text = [turn.text || turn.answer.refusal?.message, list.join("\n")].filter(Boolean).join("\n\n");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard interface is missing on plain HTTP beyond localhost.
    const area = h("textarea", { class: "unseen" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.lastChild.textContent = t("copied");
  say(t("copied"));
  setTimeout(() => { button.lastChild.textContent = t("copy"); }, 1500);
}

/** Whether this server takes feedback: its own description says so. */
function feedbackExists() {
  hasFeedback ??= json("/openapi.json")
    .then((api) => Object.keys(api.paths ?? {}).some((path) => /^\/v1\/answers\/\{[^}]+\}\/feedback$/.test(path)), () => false);
  return hasFeedback;
}
function thumbsOf(turn) {
  if (turn.rated) return [h("span", { class: "faint" }, t("feedback.thanks"))];
  const send = async (rating, comment, holder) => {
    try {
      await post(`/v1/answers/${encodeURIComponent(turn.answer.id)}/feedback`, { rating, ...(comment && { comment }) });
      turn.rated = rating;
      say(t("feedback.thanks"));
    } catch (error) {
      if (error.status !== 404) return void holder.append(problemOf(error).view());
      hasFeedback = Promise.resolve(false);
    }
    update(turn);
  };
  const up = iconButton("up", t("feedback.up"), () => send("up", "", up.parentElement));
  const down = iconButton("down", t("feedback.down"), () => {
    const comment = h("input", { type: "text", maxlength: 2000, placeholder: t("feedback.what"), "aria-label": t("feedback.what") });
    const form = h("form", { class: "comment" }, comment, h("button", { class: "plain small" }, t("feedback.send")));
    form.addEventListener("submit", (event) => { event.preventDefault(); send("down", comment.value.trim(), form); });
    down.parentElement.replaceChildren(form);
    comment.focus();
  });
  return [up, down];
}

function questionsChanged() {
  $("welcome").hidden = turns.length > 0;
  $("fresh").hidden = turns.length === 0;
  $("questions").hidden = turns.length === 0;
  $("questions").querySelector("ol").replaceChildren(...turns.map((turn) => h("li", {},
    h("button", { type: "button", class: "plain", onclick: () => { turn.view.root.scrollIntoView({ block: "start", behavior: "smooth" }); turn.view.root.focus({ preventScroll: true }); } }, turn.question))));
}
function startAfresh() {
  running?.abort.abort("stopped");
  turns.length = 0;
  $("turns").replaceChildren();
  keepTurns();
  questionsChanged();
  closePanel();
  $("question").focus();
}

function composerChanged() {
  const field = $("question");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 220)}px`;
  const length = [...field.value].length;
  $("count").textContent = length > 3600 ? `${number(length)} / ${number(4000)}` : "";
  $("send").hidden = running != null;
  $("stop").hidden = running == null;
  $("send").disabled = field.value.trim() === "";
  const chosen = Number($("extractive").checked) + Number($("as-of").value !== "");
  $("options").firstElementChild.textContent = chosen ? t("options.set", { n: chosen }) : t("options");
}

// ---------------------------------------------------------------------------------------------------- the page beside the answer

let panel = null; // { scenario, document, home, part, pageRef, headings, quote, regions, support, opener, data?, problem? }
let view = kept("localStorage", "view") ?? "text";
let zoom = 1;
const narrow = matchMedia("(max-width: 900px)");

function openCitation(turn, n, opener) {
  const c = turn.citations.find((one) => one.marker === n);
  openPanel({ scenario: turn.scenario, document: c.document, home: c.part ?? c.page?.index ?? 1, pageRef: c.page, marker: n,
    headings: c.headings ?? [], quote: c.quote, regions: c.regions ?? [], support: c.support, opener });
}
function openPassage(turn, passage, opener) {
  openPanel({ scenario: turn.scenario, document: passage.document, home: passage.part ?? passage.page?.index ?? 1, pageRef: passage.page,
    headings: passage.headings ?? [], quote: passage.text, regions: passage.regions ?? [], opener });
}
function openDocument(doc, opener) {
  openPanel({ scenario, document: doc, home: 1, headings: [], quote: "", regions: [], opener });
}
function openPanel(target) {
  document.querySelectorAll(".open").forEach((element) => element.classList.remove("open"));
  target.opener?.classList.add("open");
  panel = target;
  $("panel").hidden = false;
  document.body.classList.add("split");
  document.querySelector("main").inert = narrow.matches;
  turnTo(panel.home);
  $("panel").querySelector("h2").focus();
}
function closePanel() {
  if (!panel) return;
  const { opener } = panel;
  panel = null;
  light();
  document.querySelectorAll(".open").forEach((element) => element.classList.remove("open"));
  $("panel").hidden = true;
  $("panel").replaceChildren();
  document.body.classList.remove("split");
  document.querySelector("main").inert = false;
  if (opener?.isConnected) opener.focus();
}

async function turnTo(part) {
  const shown = panel;
  Object.assign(shown, { part, data: null, problem: null });
  drawPanel();
  const still = () => panel === shown && shown.part === part;
  try {
    const data = await json(documentPath(shown.scenario, shown.document.id, `/pages/${part}`));
    if (!still()) return;
    shown.data = data;
  } catch (error) {
    if (!still()) return;
    shown.problem = problemOf(error);
  }
  drawPanel();
  toTheQuote();
}

function drawPanel() {
  if (!panel) return;
  const { document: source, data, problem, part, home, headings, quote } = panel;
  const focused = $("panel").contains(document.activeElement) ? document.activeElement.dataset.as : null;
  const here = part === home;
  const parts = data?.parts ?? part;
  const drawable = data && data.width > 0 && data.height > 0 && data.words?.length > 0;
  const drawn = drawable && view === "page";
  const found = data && here && quote ? locate(data, quote, panel.regions) : [];
  const changed = data?.document?.version != null && source.version != null && data.document.version !== source.version;
  const choose = (name) => h("button", {
    type: "button", "data-as": `view-${name}`, "aria-pressed": String((drawn ? "page" : "text") === name),
    onclick: () => { view = name; keep("localStorage", "view", name); drawPanel(); toTheQuote(); },
  }, t(`panel.${name}`));
  const resize = (factor) => { zoom = Math.min(4, Math.max(1, zoom * factor)); drawPanel(); toTheQuote(); };

  $("panel").replaceChildren(...[
    h("header", {},
      h("div", { class: "heading" },
        h("h2", { tabindex: "-1", "data-as": "title" }, panel.marker && h("span", { class: "marker", "aria-hidden": "true" }, String(panel.marker)), titleOf(source)),
        iconButton("close", t("close"), closePanel, { "data-as": "close" })),
      h("p", { class: "faint trail" }, [
        data ? pageName(data.page, data.part) : here ? pageName(panel.pageRef, part) : "",
        ...(here ? headings : [])].filter(Boolean).join(" › ")),
      quote && h("blockquote", {}, quote),
      panel.support?.verdict === "weak" && h("span", { class: "badge weak" }, t("weak")),
      changed && h("p", { class: "notice" }, t("panel.changed", { old: source.version, new: data.document.version })),
      data && here && quote && found.length === 0 && h("p", { class: "notice" }, t("panel.lost"))),
    h("div", { class: "tools" },
      iconButton("left", t("panel.previous"), () => turnTo(part - 1), { disabled: part <= 1, "data-as": "previous" }),
      h("span", { class: "position" }, t("panel.position", { n: part, of: data ? parts : "…" })),
      iconButton("right", t("panel.next"), () => turnTo(part + 1), { disabled: !data || part >= parts, "data-as": "next" }),
      !here && quote && h("button", { type: "button", class: "plain small", "data-as": "back", onclick: () => turnTo(home) }, t("panel.back")),
      h("span", { class: "space" }),
      drawn && iconButton("minus", t("panel.out"), () => resize(1 / 1.4), { disabled: zoom <= 1, "data-as": "out" }),
      drawn && iconButton("plus", t("panel.in"), () => resize(1.4), { disabled: zoom >= 4, "data-as": "in" }),
      drawable && h("span", { class: "switch", role: "group", "aria-label": t("panel.view") }, choose("text"), choose("page")),
      iconButton("download", t("download"), (event) => download(panel.scenario, source, event.currentTarget), { "data-as": "download" })),
    h("div", { class: "sheet", tabindex: "0", role: "region", "aria-label": t("panel") },
      problem ? problem.view(() => turnTo(part))
        : !data ? h("p", { class: "working" }, t("panel.loading"))
          : data.text.trim() === "" ? h("p", { class: "faint" }, t("panel.empty"))
            : drawn ? drawing(data, found) : reading(data, found)),
  ].filter(Boolean));
  const again = focused && ($("panel").querySelector(`[data-as="${focused}"]:not(:disabled)`) ?? $("panel").querySelector("h2"));
  again?.focus({ preventScroll: true });
}

function toTheQuote() {
  const sheet = $("panel").querySelector(".sheet");
  const mark = sheet?.querySelector("mark, .region");
  if (!mark) { sheet?.scrollTo(0, 0); return; }
  const [outer, inner] = [sheet.getBoundingClientRect(), mark.getBoundingClientRect()];
  sheet.scrollTop += inner.top - outer.top - outer.height / 3;
  // Sideways only where the quote would be out of sight.
  if (inner.left < outer.left || inner.right > outer.right) sheet.scrollLeft += inner.left - outer.left - 40;
}

/** Where the quote stands in the page's text, as ranges of UTF-16 units, ascending. */
function locate({ text, words, page, part }, quote, regions) {
  const whole = text.indexOf(quote);
  if (whole >= 0) return [[whole, whole + quote.length]];
  // A passage may join lines that stand apart, so blanks do not count, and each line may be found by itself.
  const squeezed = squeeze(text);
  const once = find(squeezed, quote, 0);
  if (once) return [once];
  const ranges = [];
  let from = 0;
  for (const line of quote.split("\n").filter((l) => l.trim().length > 1)) {
    const range = find(squeezed, line, from) ?? find(squeezed, line, 0);
    if (range) { ranges.push(range); from = range[1]; }
  }
  if (ranges.length > 0) return join(ranges);
  const unit = units(text);
  const number = page?.index ?? part;
  return join((words ?? []).filter((w) => regions.some((r) => r.page === number && holds(r.rect, w.rect))).map((w) => [unit(w.start), unit(w.end)]));
}
const holds = (outer, [x0, y0, x1, y1]) => {
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return x >= outer[0] && x <= outer[2] && y >= outer[1] && y <= outer[3];
};
function squeeze(text) {
  const at = [];
  let solid = "";
  for (let i = 0; i < text.length; i++) if (!/\s/.test(text[i])) { solid += text[i]; at.push(i); }
  return { solid, at };
}
function find({ solid, at }, quote, from) {
  const wanted = quote.replace(/\s+/g, "");
  if (wanted === "") return null;
  const start = at.findIndex((unit) => unit >= from);
  const found = start < 0 ? -1 : solid.indexOf(wanted, start);
  return found < 0 ? null : [at[found], at[found + wanted.length - 1] + 1];
}
function join(ranges) {
  const joined = [];
  for (const [start, end] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last && start <= last[1] + 1) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}

/** The page as running text, block by block, with the quote marked. */
function reading({ text, blocks }, found) {
  const unit = units(text);
  const piece = (start, end) => {
    const made = [];
    let position = start;
    for (const [a, b] of found) {
      if (b <= position || a >= end) continue;
      if (a > position) made.push(text.slice(position, a));
      made.push(h("mark", {}, text.slice(Math.max(a, position), Math.min(b, end))));
      position = Math.min(b, end);
    }
    if (position < end) made.push(text.slice(position, end));
    return made;
  };
  const table = (start, end) => {
    let position = start;
    return h("div", { class: "wide" }, h("table", {}, text.slice(start, end).split("\n").map((line) => {
      let cell = position;
      position += line.length + 1;
      return h("tr", {}, line.split(" | ").map((words) => {
        const made = h("td", { class: /^[\s(（+−-]*[¥$€£]?[\d.,]+\s*[%)）]*$/.test(words) ? "figure" : null }, piece(cell, cell + words.length));
        cell += words.length + 3;
        return made;
      }));
    })));
  };
  const sheet = h("div", { class: "reading" });
  let position = 0;
  const between = (end) => { if (text.slice(position, end).trim() !== "") sheet.append(h("p", {}, piece(position, end))); };
  for (const block of blocks ?? []) {
    const [start, end] = [unit(block.start), unit(block.end)];
    const kind = typeof block.kind === "string" ? block.kind : Object.keys(block.kind ?? {})[0];
    if (start < position) continue;
    between(start);
    sheet.append(kind === "table" ? table(start, end) : h(kind === "heading" ? "h3" : "p", { class: kind }, piece(start, end)));
    position = end;
  }
  between(text.length);
  return sheet;
}

/** The page as it is laid out: each word at its place, the cited regions as boxes behind them. */
function drawing({ text, words, width, height, page, part }, found) {
  const unit = units(text);
  const number = page?.index ?? part;
  const box = ([x0, y0, x1, y1]) => ({ x: x0 * width, y: y0 * height, w: (x1 - x0) * width, h: (y1 - y0) * height });
  const cited = panel.regions.filter((r) => r.page === number).map((r) => r.rect);
  const regions = cited.length > 0 ? cited
    : words.filter((w) => found.some(([a, b]) => unit(w.start) < b && unit(w.end) > a)).map((w) => w.rect);
  const sheet = svg("svg", { class: "drawing", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": t("panel.drawing", { n: number }) },
    svg("rect", { class: "paper", width, height }),
    ...regions.map(box).map((b) => svg("rect", { class: "region", x: b.x - 1.5, y: b.y - 1, width: b.w + 3, height: b.h + 2, rx: 1.5 })),
    ...words.map((word) => {
      const written = text.slice(unit(word.start), unit(word.end));
      const b = box(word.rect);
      if (!(b.w > 0 && b.h > 0)) return null;
      // A tall box with several characters is a word set sideways.
      const sideways = b.h > 2 * b.w && [...written].length > 2;
      const [along, across] = sideways ? [b.h, b.w] : [b.w, b.h];
      const place = sideways
        ? { transform: `translate(${b.x + b.w * 0.8} ${b.y + b.h}) rotate(-90)` }
        : { x: b.x, y: b.y + b.h * 0.8 };
      return svg("text", { ...place, "font-size": across * 0.85, textLength: along, lengthAdjust: "spacingAndGlyphs" }, written);
    }));
  sheet.style.width = `${zoom * 100}%`;
  return sheet;
}

async function download(scenario, source, button) {
  const path = documentPath(scenario, source.id, "/content");
  const name = (source.name || titleOf(source)).split(/[\\/]/).pop();
  if (!key) return h("a", { href: path, download: name }).click();
  // A link cannot carry the key.
  button.disabled = true;
  try {
    const url = URL.createObjectURL(await (await call(path)).blob());
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    const problem = problemOf(error).view();
    button.closest("li, aside")?.append(problem);
    setTimeout(() => problem.remove(), 10_000);
  } finally {
    button.disabled = false;
  }
}

// ---------------------------------------------------------------------------------------------------- documents

const UPLOADS_AT_ONCE = 2;
const PAGE_OF_DOCUMENTS = 50;

const docs = new Map(); // id → { doc, row }, in the order shown
const uploads = []; // { file, path, state, problem?, row }
let next = null; // cursor of what is not shown yet
let polling = null;
let loading = 0; // counts listings, so that a late one is dropped

async function listDocuments(more = false) {
  const mine = ++loading;
  const asked = new URLSearchParams({ limit: PAGE_OF_DOCUMENTS, ...(more && next && { cursor: next }) });
  try {
    const { data, next_cursor } = await json(at(scenario, `/documents?${asked}`));
    if (mine !== loading) return;
    if (!more) { docs.clear(); $("list").replaceChildren(); }
    next = next_cursor ?? null;
    data.forEach((doc) => put(doc));
    $("docs-problem").replaceChildren();
  } catch (error) {
    if (mine === loading) $("docs-problem").replaceChildren(problemOf(error).view(() => listDocuments(more)));
    return;
  }
  listChanged();
  poll();
}
function listChanged() {
  $("none").hidden = docs.size > 0 || uploads.length > 0;
  $("more").hidden = next == null;
  $("welcome-empty").hidden = docs.size > 0;
}

function put(doc, first = false) {
  const held = docs.get(doc.id);
  if (held) {
    if (JSON.stringify(held.doc) === JSON.stringify(doc)) return;
    held.doc = doc;
    drawDocument(held);
    return;
  }
  const entry = { doc, row: h("li", { class: "document" }) };
  docs.set(doc.id, entry);
  drawDocument(entry);
  if (first) $("list").prepend(entry.row); else $("list").append(entry.row);
  listChanged();
}
function drawDocument({ doc, row }) {
  const focused = row.contains(document.activeElement) ? document.activeElement.dataset.as : null;
  const readable = doc.version > 0;
  const title = titleOf(doc);
  const facts = [
    doc.name && doc.name !== title && doc.name,
    doc.pages > 0 && t("docs.pages", { n: number(doc.pages) }),
    doc.passages > 0 && t("docs.passages", { n: number(doc.passages) }),
    doc.bytes > 0 && size(doc.bytes),
    doc.version > 1 && t("docs.version", { n: doc.version }),
    doc.updated_at && day(doc.updated_at),
  ].filter(Boolean);
  const stage = doc.status === "running" || doc.status === "searchable" ? doc.stage : null;
  row.replaceChildren(...[
    h("div", { class: "what" },
      readable ? h("button", { type: "button", class: "title", "data-as": "open", onclick: (event) => openDocument(doc, event.currentTarget) }, title) : h("span", { class: "title" }, title),
      h("span", { class: "faint" }, facts.join(" · "))),
    h("div", { class: "state" },
      h("span", { class: `badge ${doc.status}` }, known(`status.${doc.status}`) ? t(`status.${doc.status}`) : doc.status),
      stage && h("span", { class: "faint" }, known(`stage.${stage}`) ? t(`stage.${stage}`) : stage),
      stage && h("progress", { max: 1, value: doc.progress ?? 0, "aria-label": title })),
    h("div", { class: "actions" },
      iconButton("download", t("download"), (event) => download(scenario, doc, event.currentTarget), { "data-as": "download" }),
      iconButton("trash", t("docs.delete"), (event) => remove(doc, event.currentTarget), { "data-as": "delete" })),
    doc.error && h("p", { class: "why" }, doc.error.detail, " ", h("span", { class: "code" }, doc.error.code)),
  ].filter(Boolean));
  if (focused) row.querySelector(`[data-as="${focused}"]`)?.focus({ preventScroll: true });
}

async function remove(doc, button) {
  const dialog = $("confirm");
  $("confirm-text").textContent = t("docs.delete.ask", { title: titleOf(doc) });
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "yes") return button.focus();
  try {
    await call(documentPath(scenario, doc.id), { method: "DELETE" });
  } catch (error) {
    if (error.status !== 404) return void docs.get(doc.id)?.row.append(problemOf(error).view());
  }
  if (panel?.document.id === doc.id) closePanel();
  forget(doc.id);
  say(t("docs.deleted", { title: titleOf(doc) }));
  $("choose").focus();
}
function forget(id) {
  docs.get(id)?.row.remove();
  docs.delete(id);
  listChanged();
}

/** Ask after the documents that are still on their way, while somebody looks. */
function poll() {
  clearTimeout(polling);
  const waiting = [...docs.values()].map(({ doc }) => doc).filter((doc) => ["queued", "running", "searchable"].includes(doc.status));
  if (waiting.length === 0 || document.hidden || $("documents").hidden) return;
  const where = scenario;
  polling = setTimeout(async () => {
    let barred = false;
    await Promise.all(waiting.slice(0, 10).map(async ({ id }) => {
      try {
        const answer = await json(documentPath(where, id));
        if (scenario === where && docs.has(id)) put(answer.document ?? answer);
      } catch (error) {
        if (error.status === 404 && scenario === where) forget(id);
        barred ||= error.status === 401;
      }
    }));
    // Somebody who declined to give a key is not asked again every second.
    if (!barred) poll();
  }, waiting.some((doc) => doc.status !== "searchable") ? 1000 : 5000);
}

function upload(files) {
  for (const { file, path } of files) {
    const one = { file, path, state: "waiting", scenario, row: h("li", { class: "document" }) };
    uploads.push(one);
    $("uploads").append(one.row);
    drawUpload(one);
  }
  listChanged();
  pump();
}
function pump() {
  const busy = uploads.filter((one) => one.state === "uploading").length;
  uploads.filter((one) => one.state === "waiting").slice(0, Math.max(0, UPLOADS_AT_ONCE - busy)).forEach(send);
}
async function send(one) {
  one.state = "uploading";
  drawUpload(one);
  try {
    const form = new FormData();
    // The path keeps two files of one name in different folders apart.
    form.append("file", one.file, one.path);
    const response = await call(at(one.scenario, "/documents"), { method: "POST", body: form });
    const body = await response.json();
    const doc = body.document ?? body;
    if (one.scenario === scenario && doc.id && doc.status) { put(doc, true); poll(); }
    if (response.status === 200) { one.state = "unchanged"; drawUpload(one); } else dismiss(one);
  } catch (error) {
    one.state = "failed";
    one.problem = problemOf(error);
    drawUpload(one);
  }
  pump();
}
function dismiss(one) {
  one.row.remove();
  uploads.splice(uploads.indexOf(one), 1);
  listChanged();
}
function drawUpload(one) {
  const over = one.state === "failed" || one.state === "unchanged";
  one.row.replaceChildren(...[
    h("div", { class: "what" }, h("span", { class: "title" }, one.path), h("span", { class: "faint" }, size(one.file.size))),
    h("div", { class: "state" },
      h("span", { class: `badge ${one.state === "failed" ? "failed" : "queued"}` }, one.state === "failed" ? t("status.failed") : t(`docs.${one.state}`)),
      one.state === "uploading" && h("progress", { "aria-label": one.path })),
    h("div", { class: "actions" }, over && iconButton("close", t("dismiss"), () => dismiss(one))),
    one.problem && one.state === "failed" && one.problem.view(() => { one.state = "waiting"; drawUpload(one); pump(); }),
  ].filter(Boolean));
}

/** The files of a drop, those inside folders with their path. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const walk = async (entry) => {
    if (entry.name.startsWith(".")) return [];
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      return [{ file, path: entry.fullPath.replace(/^\//, "") }];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return found;
      for (const child of some) found.push(...await walk(child));
    }
  };
  return (await Promise.all(entries.map(walk))).flat();
}

// ---------------------------------------------------------------------------------------------------- the frame around it

function speak() {
  document.documentElement.lang = locale();
  document.querySelectorAll("[data-t]").forEach((e) => { e.textContent = t(e.dataset.t); });
  document.querySelectorAll("[data-label]").forEach((e) => { e.setAttribute("aria-label", t(e.dataset.label)); });
  document.querySelectorAll("[data-placeholder]").forEach((e) => { e.placeholder = t(e.dataset.placeholder); });
  $("language").textContent = language === "zh" ? "English" : "中文";
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  paintTheme();
  composerChanged();
  turns.forEach(update);
  docs.forEach(drawDocument);
  uploads.forEach(drawUpload);
  drawPanel();
}

let theme = kept("localStorage", "theme") ?? "auto";
function paintTheme() {
  document.documentElement.dataset.theme = theme;
  const label = t(`theme.${theme}`);
  $("theme").replaceChildren(icon(theme));
  $("theme").setAttribute("aria-label", label);
  $("theme").title = label;
}

function route() {
  const documents = location.hash === "#documents";
  $("ask").hidden = documents;
  $("documents").hidden = !documents;
  document.querySelectorAll(".bar nav a").forEach((a) => {
    if (a.getAttribute("href") === (documents ? "#documents" : "#ask")) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  });
  if (documents) listDocuments();
  else { composerChanged(); if (!narrow.matches) $("question").focus(); }
}

/** The scenarios there are; a server without a list of them has `default`. */
async function listScenarios() {
  let names = ["default"];
  try {
    const { data } = await json("/v1/scenarios");
    names = data.map((s) => [s.id ?? s.name, s.title ?? s.name ?? s.id]);
  } catch { /* only `default` is certain to exist */ }
  names = names.map((name) => (Array.isArray(name) ? name : [name, name]));
  if (!names.some(([id]) => id === scenario)) scenario = names.some(([id]) => id === "default") ? "default" : names[0]?.[0] ?? "default";
  $("scenario").replaceChildren(...names.map(([id, title]) => h("option", { value: id, selected: id === scenario }, title)));
}

function wire() {
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const question = $("question").value.trim();
    if (running || question === "") return;
    $("question").value = "";
    ask(question);
  });
  $("question").addEventListener("input", composerChanged);
  $("question").addEventListener("keydown", (event) => {
    // Enter that ends the composition of a character is not a question yet.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });
  $("extractive").addEventListener("change", composerChanged);
  $("as-of").addEventListener("change", composerChanged);
  $("stop").addEventListener("click", () => { running?.abort.abort("stopped"); $("question").focus(); });
  $("fresh").addEventListener("click", startAfresh);

  $("scenario").addEventListener("change", (event) => {
    scenario = event.target.value;
    keep("localStorage", "scenario", scenario);
    closePanel();
    listDocuments();
  });
  $("language").addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    keep("localStorage", "language", language);
    speak();
  });
  $("theme").addEventListener("click", () => {
    theme = { auto: "light", light: "dark", dark: "auto" }[theme] ?? "auto";
    keep("localStorage", "theme", theme === "auto" ? null : theme);
    paintTheme();
  });
  $("key-button").addEventListener("click", () => {
    // What was read with the key goes with it.
    startAfresh();
    setKey(null);
    location.reload();
  });
  $("key-cancel").addEventListener("click", () => $("key").close("no"));

  $("refresh").addEventListener("click", () => listDocuments());
  $("more").addEventListener("click", () => listDocuments(true));
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", (event) => {
    upload([...event.target.files].map((file) => ({ file, path: file.name })));
    event.target.value = "";
  });
  // A file dropped beside the target must not make the browser leave the page.
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (on) => $("drop").classList.toggle("over", on);
  addEventListener("dragenter", (event) => { if (carriesFiles(event)) { depth += 1; over(true); if ($("documents").hidden) location.hash = "#documents"; } });
  addEventListener("dragleave", (event) => { if (carriesFiles(event)) { depth -= 1; over(depth > 0); } });
  addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    upload(await dropped(event.dataTransfer));
  });

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]")) closePanel();
  });
  narrow.addEventListener("change", () => { document.querySelector("main").inert = panel != null && narrow.matches; });
  document.addEventListener("visibilitychange", poll);
  addEventListener("hashchange", route);
}

wire();
setKey(key);
recallTurns();
questionsChanged();
speak();
await listScenarios();
if (location.hash !== "#documents") listDocuments();
route();
