"""How long after the upstream's first sentence is complete does the questioner read the first text?

    python3 benches/first_text.py target/release/dossier [ROUNDS]

A model server in this process sends one sentence in pieces, notes when the last piece is out, and then says nothing for a second:
what is read before that was not waiting for what follows. Both ways to ask, in Chinese and English; milliseconds, one clock.
"""

import http.client
import http.server
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

REPORT = (
    "# Northgale Ferries annual report 2023\n\nRevenue of Northgale Ferries was 412.6 million euros in 2023, up 6.1% from 2022.\n\n"
    "# 澜汐海洋设备2023年年度报告\n\n2023年，澜汐海洋设备实现营业收入12.84亿元，同比增长8.3%。\n"
)
CASES = {
    "What was the revenue of Northgale Ferries in 2023?": "Revenue of Northgale Ferries was 412.6 million euros in 2023 [1].",
    "澜汐海洋设备2023年营业收入是多少？": "2023年，澜汐海洋设备实现营业收入12.84亿元[1]。",
}
sent = 0.0


class Upstream(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global sent
        prompt = json.loads(self.rfile.read(int(self.headers["content-length"])))["messages"][-1]["content"]
        sentence = next(sentence for question, sentence in CASES.items() if question in prompt)
        # The passage that holds the figure, whichever number it has.
        figure = re.search(r"\d+\.\d+", sentence).group()
        number = next(n for n, text in re.findall(r"^\[(\d+)\] .*\n<.*>\n((?:.*\n)*?)</", prompt, re.M) if figure in text)
        sentence = sentence.replace("[1]", f"[{number}]")
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for at in range(0, len(sentence), 4):
            self.say({"content": sentence[at : at + 4]}, None)
        sent = time.perf_counter()
        time.sleep(1)
        self.say({}, "stop")

    def say(self, delta, finish):
        chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


def first_text(port, path, body):
    """When the first text was read."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    response, event = connection.getresponse(), ""
    assert response.status == 200, response.read()
    for line in response:
        now, line = time.perf_counter(), line.decode().strip()
        event = line.removeprefix("event: ") if line.startswith("event: ") else event
        if not line.startswith("data: {"):
            continue
        data = json.loads(line.removeprefix("data: "))
        text = data.get("text") if event == "answer.delta" else None
        if "choices" in data:
            text = data["choices"] and data["choices"][0]["delta"].get("content")
        if text:
            connection.close()
            return now
    raise AssertionError("no text came")


def main(dossier, rounds=25):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.md")
        with open(report, "w", encoding="utf-8") as file:
            file.write(REPORT)
        model = {"DOSSIER_LLM__BASE_URL": f"http://127.0.0.1:{upstream.server_port}/v1", "DOSSIER_LLM__MODEL": "paced"}
        data = ["--data", os.path.join(folder, "data")]
        subprocess.run([dossier, "ingest", report, *data], check=True, capture_output=True)
        command = [dossier, "serve", "--bind", "127.0.0.1:0", *data]
        server = subprocess.Popen(command, env=os.environ | model, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            for path in ["/v1/ask", "/v1/chat/completions"]:
                waited = []
                for question in list(CASES) * rounds:
                    ask = {"question": question, "stream": True}
                    chat = {"messages": [{"role": "user", "content": question}], "stream": True}
                    read = first_text(port, path, ask if path == "/v1/ask" else chat)
                    waited.append((read - sent) * 1000)
                waited.sort()
                p95 = waited[int(len(waited) * 0.95)]
                print(f"{path}: {len(waited)} answers, p50 {statistics.median(waited):.1f} ms, p95 {p95:.1f} ms, most {waited[-1]:.1f} ms")
        finally:
            server.kill()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
