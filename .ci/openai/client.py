"""The official client for Python, as a user of it writes: models, an answer, a stream, an error, an async client."""

import asyncio

import openai

QUESTIONS = {
    "What were Quillhaven's total revenues in 2023?": "Sources:",
    "栖霁传动2023年的营业收入是多少？": "来源：",
}

client = openai.OpenAI()
models = [model.id for model in client.models.list()]
assert models[0] == "default", models
assert client.models.retrieve("default").owned_by == "dossier"

for question, sources in QUESTIONS.items():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    whole = client.chat.completions.create(model="default", messages=messages, temperature=0.2)
    choice = whole.choices[0]
    assert choice.finish_reason == "stop" and choice.message.role == "assistant", whole
    assert "[1]" in choice.message.content and sources in choice.message.content, choice.message.content
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    citations = whole.model_extra["citations"]
    assert citations and citations[0]["quote"] and whole.model_extra["verdict"] == "answered", whole

    stream = client.chat.completions.create(
        model="default", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    text, finish, usage = "", None, None
    for chunk in stream:
        if not chunk.choices:
            usage = chunk.usage
            continue
        text += chunk.choices[0].delta.content or ""
        finish = chunk.choices[0].finish_reason or finish
    assert (text, finish) == (choice.message.content, "stop"), (text, finish)
    assert usage is not None and usage.total_tokens == whole.usage.total_tokens

    with client.chat.completions.stream(model="default", messages=messages) as events:
        assert events.get_final_completion().choices[0].message.content == text


def fails(kind, ask):
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


absent = {"model": "absent", "messages": [{"role": "user", "content": "x"}]}
assert fails(openai.NotFoundError, lambda: client.chat.completions.create(**absent)).code == "not_found"
assert fails(openai.NotFoundError, lambda: client.models.retrieve("absent")).code == "not_found"
empty = {"model": "default", "messages": []}
assert fails(openai.UnprocessableEntityError, lambda: client.chat.completions.create(**empty)).code == "empty_question"
stranger = openai.OpenAI(api_key="another")
assert fails(openai.AuthenticationError, lambda: stranger.models.list()).code == "unauthenticated"


async def concurrently():
    together = openai.AsyncOpenAI()
    asked = [
        together.chat.completions.create(model="default", messages=[{"role": "user", "content": question}])
        for question in QUESTIONS
    ]
    for answer in await asyncio.gather(*asked):
        assert answer.choices[0].finish_reason == "stop"


asyncio.run(concurrently())
print(f"python: openai {openai.__version__} is served")
