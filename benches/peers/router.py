"""LiteLLM's router beside ours: a pick among N deployments, and an answer past a throttled key.

Prints the same JSON lines as the Rust side. Usage: router.py ORIGIN (of `peers upstream`).
"""

import asyncio
import json
import logging
import os
import statistics
import sys
import time
import urllib.request

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
logging.disable(logging.CRITICAL)

import litellm  # noqa: E402
from litellm import Router  # noqa: E402

litellm.suppress_debug_info = True
THROTTLED, WORKING = "sk-FAKE-throttled", "sk-FAKE-working"
MESSAGES = [{"role": "user", "content": "hello"}]
FAILOVERS = 20


def deployments(origin, keys):
    return [
        {
            "model_name": "a-model",
            "litellm_params": {
                "model": "openai/a-model",
                "api_key": key,
                "api_base": f"{origin}/v1",
            },
        }
        for key in keys
    ]


def show(subject, size, seconds):
    line = {"subject": subject, "peer": "LiteLLM", "n": size, "ns": int(seconds * 1e9)}
    print(json.dumps(line), flush=True)


def throttled(origin):
    """How often the upstream has throttled somebody."""
    with urllib.request.urlopen(f"{origin}/throttled") as reply:
        return int(reply.read())


async def pick(origin, size):
    keys = [f"sk-FAKE-{index}" for index in range(size)]
    router = Router(model_list=deployments(origin, keys), num_retries=0)
    rounds = 4
    while True:
        best = float("inf")
        for _ in range(3):
            started = time.perf_counter()
            for _ in range(rounds):
                await router.async_get_available_deployment(
                    model="a-model", messages=MESSAGES, request_kwargs={}
                )
            best = min(best, time.perf_counter() - started)
        if best > 0.2:
            break
        rounds *= 4
    show("pick among N", size, best / rounds)
    router.discard()


async def answer(origin, subject, keys, throttled_first):
    """The median over fresh routers; `simple-shuffle` picks at random, so those that met the throttled key count."""
    taken = []
    while len(taken) < FAILOVERS:
        router = Router(model_list=deployments(origin, keys), num_retries=2)
        before = throttled(origin)
        started = time.perf_counter()
        stream = await router.acompletion(model="a-model", messages=MESSAGES, stream=True)
        said = ""
        async for chunk in stream:
            said += chunk.choices[0].delta.content or ""
        elapsed = time.perf_counter() - started
        assert said == "Hello", said
        if not throttled_first or throttled(origin) > before:
            taken.append(elapsed)
        router.discard()
    show(subject, 2, statistics.median(taken))


async def main():
    origin = sys.argv[1]
    for size in (3, 30, 300, 1000):
        await pick(origin, size)
    await answer(origin, "one answer", [WORKING, "sk-FAKE-spare"], False)
    await answer(origin, "one answer past a throttled key", [THROTTLED, WORKING], True)


asyncio.run(main())
