// The official client for JavaScript, as a user of it writes: models, an answer, a stream, an error.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const client = new OpenAI();
const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert.equal(models[0], "default");

const questions = [
  ["What were Quillhaven's total revenues in 2023?", "Sources:"],
  ["栖霁传动2023年的营业收入是多少？", "来源："],
];
for (const [question, sources] of questions) {
  const messages = [{ role: "user", content: question }];
  const whole = await client.chat.completions.create({ model: "default", messages });
  const content = whole.choices[0].message.content;
  assert.equal(whole.choices[0].finish_reason, "stop");
  assert.ok(content.includes("[1]") && content.includes(sources), content);
  assert.ok(whole.citations[0].quote && whole.verdict === "answered");

  const stream = await client.chat.completions.create({
    model: "default", messages, stream: true, stream_options: { include_usage: true },
  });
  let text = "", finish = null, usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual([text, finish], [content, "stop"]);
  assert.equal(usage.total_tokens, whole.usage.total_tokens);

  const runner = client.chat.completions.stream({ model: "default", messages });
  assert.equal(await runner.finalContent(), content);
}

const messages = [{ role: "user", content: "x" }];
await assert.rejects(client.chat.completions.create({ model: "absent", messages }), (error) =>
  error instanceof OpenAI.NotFoundError && error.code === "not_found");
await assert.rejects(new OpenAI({ apiKey: "another" }).models.list(), (error) =>
  error instanceof OpenAI.AuthenticationError && error.code === "unauthenticated");

const { version } = JSON.parse(readFileSync(new URL("node_modules/openai/package.json", import.meta.url)));
console.log(`javascript: openai ${version} is served`);
