"""One script, played on the emulated Discord against any bot that a command line starts.

    benches/talk/run                                   the bot of this checkout
    benches/talk/run --bots all                        and two bare ones, the floor of their runtimes
    benches/talk/run --bot mine='node mybot.js'        and yours
    benches/talk/run --bots all --memory 10000         the memory alone, over so many messages

Every bot gets a fresh sandbox (`cortana sandbox --serve-only`) and an empty folder to work in, and finds in its environment:

    DISCORD_TOKEN, DISCORD_API_BASE          an origin; REST is below /api/v10, the gateway's address at /gateway/bot
    DISCORD_TLS_ADDRESS, DISCORD_TLS_AUTHORITY   who answers for discord.com by TLS, and the authority to trust (DER, Base64)
    OPENAI_API_BASE, OPENAI_API_KEY, OPENAI_MODEL   a model at 50 tokens a second behind OpenAI's chat completions

It has to answer a mention with the model's text. The rounds alternate: every bot plays the first, then every bot the second.
Staleness is the age of the oldest text that the model has sent and nobody can read yet (docs/sandbox.md).
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
PACE_MS = 20
LATENCY_MS = 80
PARTS = {
    "alone": "1 stream",
    "eight": "8 streams in 8 channels, one begun each 0.35 s",
    "shared": "4 streams in one channel",
    "hundred": "100 streams in 100 channels",
}
FIGURES = [
    ("first_request_ms", "message to request"),
    ("first_visible_ms", "first token to visible"),
    ("mean_ms", "staleness, mean"),
    ("worst_ms", "staleness, worst"),
    ("tail_ms", "tail"),
]


class Sandbox:
    """The emulators in a process of their own, and their control API."""

    def __init__(self, cortana, folder):
        command = [cortana, "sandbox", "--serve-only", "--tls"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(command)} did not start")
        self.where = json.loads(line)
        self.address = urllib.parse.urlsplit(self.where["control"]).netloc
        self.connections = threading.local()
        people = self.control("GET", "")["users"]
        self.bot = next(person["id"] for person in people if person["bot"])

    def control(self, method, path, body=None):
        """One request; a connection is kept for each thread."""
        headers = {"Authorization": "Bearer " + self.where["control_token"], "Content-Type": "application/json"}
        for fresh in (False, True):
            connection = getattr(self.connections, "kept", None)
            if connection is None or fresh:
                connection = self.connections.kept = http.client.HTTPConnection(self.address, timeout=60)
            try:
                connection.request(method, "/control" + path, None if body is None else json.dumps(body), headers)
                answer = connection.getresponse()
                text = answer.read()
                break
            except (http.client.HTTPException, OSError):
                if fresh:
                    raise
        if answer.status != 200:
            sys.exit(f"the sandbox refuses {method} {path}: {text.decode()}")
        return json.loads(text)

    def ask(self, person, channel, text):
        said = {"user_id": person, "channel_id": channel, "content": f"<@{self.bot}> {text}"}
        return self.control("POST", "/messages", said)["id"]

    def script(self, replies, pace_ms):
        replies = [{"pieces": pieces, "pace_millis": pace_ms} for pieces in replies]
        self.control("POST", "/vendors/openai/script", {"replies": replies})

    def people(self, count):
        return [self.control("POST", "/people", {"name": f"Person {one}"})["id"] for one in range(count)]

    def channels(self, count):
        return [self.control("POST", "/channels", {"name": f"room-{one}"})["id"] for one in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Bot:
    """A bot as a process (and what it starts)."""

    def __init__(self, name, command, sandbox, folder):
        where = sandbox.where
        tls = where["discord_tls"]
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LD_LIBRARY_PATH")},
            "HOME": folder,
            "DISCORD_TOKEN": where["bot_token"],
            "DISCORD_API_BASE": where["discord_api_base"],
            "DISCORD_TLS_ADDRESS": tls["address"],
            "DISCORD_TLS_AUTHORITY": tls["authority"],
            "OPENAI_API_BASE": where["providers"]["openai"]["api_base"],
            "OPENAI_API_KEY": sandbox.control("POST", "/vendors/openai/mint", {})["api_key"],
            "OPENAI_MODEL": "gpt-5-mini",
            # Ours alone reads these: a server of its own choice, nobody held to a number of messages, a free port.
            "ALLOWED_GUILD_IDS": "*",
            "USER_MESSAGES_PER_HOUR": "0",
            "ADMIN_ADDR": "127.0.0.1:0",
            "RUST_LOG": "error",
        }
        self.name, self.sandbox = name, sandbox
        self.process = subprocess.Popen(
            shlex.split(command), env=environment, cwd=folder, stdout=sys.stderr, start_new_session=True
        )

    def tree(self):
        """Its process ids: the session that it leads."""
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    state = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if int(state[3]) == self.process.pid:
                    yield entry, state

    def memory(self):
        """Resident, in MiB."""
        pages = sum(int(state[21]) for _, state in self.tree())
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def processor(self):
        """Seconds, user and system."""
        ticks = sum(int(state[11]) + int(state[12]) for _, state in self.tree())
        return ticks / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        """Waits until it is connected."""
        for _ in range(300):
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended with {self.process.returncode} before it was connected")
            if self.sandbox.control("GET", "")["connected_sessions"]:
                time.sleep(2)
                return self
            time.sleep(0.1)
        self.__exit__()
        sys.exit(f"{self.name} did not connect within 30 s")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def text(random_words, tokens):
    """So many tokens, each a word that hardly any other answer has at this place."""
    return ["".join(random_words.choices("abcdefghijklmnopqrstuvwxyz", k=4)) + " " for _ in range(tokens)]


def play(part, sandbox, seed, tokens):
    """Asks, waits until nothing changes any more, and returns the sandbox's report on it."""
    streams, gap = {"alone": (1, 0), "eight": (8, 0.35), "shared": (4, 0), "hundred": (100, 0)}[part]
    words = random.Random(seed)
    sandbox.script([text(words, tokens) for _ in range(streams)], PACE_MS)
    people = sandbox.people(streams)
    channels = sandbox.channels(1) * streams if part == "shared" else sandbox.channels(streams)
    time.sleep(1)
    start = sandbox.control("POST", "/messages", {"content": "Now.", "channel_id": channels[0]})["id"]
    for person, channel in zip(people, channels):
        sandbox.ask(person, channel, "Tell me something long.")
        time.sleep(gap)
    # A report costs the sandbox time; nobody asks for one while the model speaks.
    time.sleep(tokens * PACE_MS / 1000)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        time.sleep(3)
        report = sandbox.control("GET", f"/report?after={start}")
        done = [answer for answer in report["answers"] if answer["tail_ms"] is not None]
        if len(done) == streams:
            break
    # Buttons and marks that come last.
    time.sleep(3)
    return {**sandbox.control("GET", f"/report?after={start}"), "streams": streams}


def round_of(name, command, options, seed):
    with tempfile.TemporaryDirectory() as folder:
        with Sandbox(options.cortana, folder) as sandbox, Bot(name, command, sandbox, folder) as bot:
            sandbox.control("PUT", "/latency", {"ms": LATENCY_MS})
            found = {"memory_at_start_mib": bot.memory()}
            for part in options.parts:
                before = bot.processor()
                found[part] = play(part, sandbox, f"{seed} {part}", options.tokens)
                found[part]["processor_secs"] = bot.processor() - before
            found["memory_in_the_end_mib"] = bot.memory()
            return found


def summary(rounds, part):
    """Medians over the rounds; of the answers within one, the median, and the worst of what is a worst."""
    figures = {}
    for key, _ in FIGURES:
        pick = max if key in ("worst_ms", "tail_ms", "first_visible_ms") else statistics.median
        each = [[answer[key] for answer in found[part]["answers"]] for found in rounds]
        # An answer that never was whole has no tail, and one that never began is not in the report.
        if all(one and None not in one for one in each):
            figures[key] = round(statistics.median(pick(one) for one in each))
    whole = [sum(answer["tail_ms"] is not None for answer in found[part]["answers"]) for found in rounds]
    return {
        "answers": f"{min(whole)} of {rounds[0][part]['streams']}",
        **figures,
        "edits": round(statistics.median(
            sum(answer["edits"] for answer in found[part]["answers"]) for found in rounds)),
        "rate_limited": max(found[part]["rate_limited"] for found in rounds),
        "busiest_second": max(found[part]["busiest_second"] for found in rounds),
        "processor_secs": round(statistics.median(found[part]["processor_secs"] for found in rounds), 2),
    }


def talk(options, bots):
    rounds = {name: [] for name in bots}
    for number in range(options.rounds):
        for name, command in bots.items():
            print(f"round {number + 1} of {options.rounds}: {name} ...", file=sys.stderr)
            rounds[name].append(round_of(name, command, options, number))
    results = {
        name: {
            "memory_at_start_mib": round(statistics.median(one["memory_at_start_mib"] for one in found), 1),
            "memory_in_the_end_mib": round(statistics.median(one["memory_in_the_end_mib"] for one in found), 1),
            **{part: summary(found, part) for part in options.parts},
        }
        for name, found in rounds.items()
    }
    if options.json:
        print(json.dumps({"rounds": options.rounds, "bots": results}, indent=2))
        return results
    rows = [("whole answers", "answers"), *((label, key) for key, label in FIGURES), ("edits", "edits"),
            ("429s", "rate_limited"), ("busiest second", "busiest_second"), ("processor, s", "processor_secs")]
    for part in options.parts:
        print(f"\n{PARTS[part]}; milliseconds, the median of {options.rounds} rounds:\n")
        table(["", *bots], [[label, *(results[name][part].get(key, "never") for name in bots)] for label, key in rows])
    print("\nMemory, MiB:\n")
    table(["", *bots], [
        ["when connected", *(results[name]["memory_at_start_mib"] for name in bots)],
        ["after the script", *(results[name]["memory_in_the_end_mib"] for name in bots)],
    ])
    return results


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" + "--:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def remember(name, command, options):
    """Resident memory after so many short exchanges: 20 a second, each channel one, which Discord's limits allow any bot."""
    lanes, total = min(20, options.memory), options.memory
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(options.cortana, folder))
        bot = stack.enter_context(Bot(name, command, sandbox, folder))
        samples = [(0, bot.memory())]
        lock = threading.Lock()
        begun = done = 0

        def lane(person, channel):
            nonlocal begun, done
            while True:
                with lock:
                    if begun == total:
                        return
                    begun += 1
                question = sandbox.ask(person, channel, "Say something short.")
                for _ in range(120):
                    time.sleep(1)
                    answers = sandbox.control("GET", f"/answers/{question}")
                    if any("done" in answer["content"] for answer in answers):
                        break
                else:
                    sys.exit(f"{name} did not answer within 2 min, after {done} messages")
                with lock:
                    done += 1
                    if done % max(1, total // 10) == 0:
                        samples.append((done, bot.memory()))
                        print(f"{name}: {done} messages, {samples[-1][1]:.1f} MiB", file=sys.stderr)

        for _ in range(0, total + 100, 1000):
            sandbox.script([["Something ", "short, ", "done"]] * min(1000, total + 100), 0)
        places = list(zip(sandbox.people(lanes), sandbox.channels(lanes)))
        threads = [threading.Thread(target=lane, args=place) for place in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        limited = sum(request["status"] == 429 for request in sandbox.control("GET", "/requests"))
        if done < total:
            sys.exit(1)
        return {"samples": samples, "rate_limited": limited, "processor_secs": bot.processor()}


def memory(options, bots):
    found = {name: remember(name, command, options) for name, command in bots.items()}
    if options.json:
        print(json.dumps({"messages": options.memory, "bots": found}, indent=2))
        return
    print("\nResident memory in MiB after so many messages:\n")
    counts = [count for count, _ in next(iter(found.values()))["samples"]]
    rows = [[count, *(f"{dict(found[name]['samples'])[count]:.1f}" for name in bots)] for count in counts]
    rows.append(["429s", *(found[name]["rate_limited"] for name in bots)])
    rows.append(["processor, s", *(f"{found[name]['processor_secs']:.1f}" for name in bots)])
    table(["messages", *bots], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cortana", required=True, help="the binary; run builds it and sets this")
    parser.add_argument("--bots", choices=["cortana", "all", "none"], default="cortana",
                        help="ours (the default), ours and the bare ones, or only those of --bot")
    parser.add_argument("--bare-serenity", help="that bot's binary; run builds it and sets this")
    parser.add_argument("--python", default=sys.executable, help="a Python that has discord.py; run makes one")
    parser.add_argument("--bot", action="append", default=[], metavar="NAME=COMMAND", help="another bot; may be repeated")
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS) + "; all when not said")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is played (3)")
    parser.add_argument("--tokens", type=int, default=300, help="in each answer (300, which takes 6 s)")
    parser.add_argument("--memory", type=int, metavar="MESSAGES", help="measure memory over so many messages instead")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    options.cortana = str(pathlib.Path(options.cortana).resolve())
    options.parts = options.parts.split(",")
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    bots = {}
    if options.bots != "none":
        bots["cortana"] = f"{shlex.quote(options.cortana)} run"
    if options.bots == "all":
        bots["serenity, bare"] = shlex.quote(options.bare_serenity or parser.error("--bots all needs --bare-serenity"))
        bots["discord.py, bare"] = f"{shlex.quote(options.python)} {shlex.quote(str(HERE / 'bare_discord_py.py'))}"
    for bot in options.bot:
        name, equals, command = bot.partition("=")
        if not equals:
            parser.error(f"--bot {bot}: NAME=COMMAND is needed")
        bots[name] = command
    if not bots:
        parser.error("no bot is left; name one with --bot NAME=COMMAND")
    if options.memory:
        memory(options, bots)
    else:
        talk(options, bots)


if __name__ == "__main__":
    main()
