"""What came with mistralai 3: log probabilities, and more ways to sample."""

from expect import USER, raised
from modern import MODEL, SDKError, client


def check_logprobs(world):
    found = client(world.text).chat.complete(
        model=MODEL, messages=USER, logprobs=True, top_logprobs=2
    )
    entries = found.choices[0].logprobs.content
    assert "".join(entry.token for entry in entries[:3]) == world.answer[:3]
    assert all(len(entry.top_logprobs) == 2 for entry in entries)
    assert entries[0].top_logprobs[0].logprob == entries[0].logprob


def check_prompt_logprobs(world):
    found = client(world.text).chat.complete(
        model=MODEL, messages=USER, prompt_logprobs=True, top_prompt_logprobs=1, max_tokens=1
    )
    entries = found.choices[0].prompt_logprobs.content
    assert len(entries) == found.usage.prompt_tokens - 1


def check_streamed_logprobs(world):
    stream = client(world.text).chat.stream(model=MODEL, messages=USER, logprobs=True)
    first = next(iter(stream)).data.choices[0]
    assert first.logprobs.content[0].token == world.answer[0]


def check_more_options(world):
    found = client(world.text).chat.complete(
        model=MODEL, messages=USER, min_tokens=1, repetition_penalty=1.01, top_k=5
    )
    assert found.choices[0].message.content == world.answer


def check_responses_are_404(world):
    responses = getattr(client(world.text), "responses", None)
    if responses is not None:
        error = raised(SDKError, lambda: responses.create(model=MODEL, input="a"))
        assert error.status_code == 404
