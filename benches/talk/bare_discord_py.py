"""The floor of Python: the least that streams a model's answer into Discord with discord.py.

A mention is answered by one chat completion; the reply appears with the first words and is edited at most once a second while
more come, as most bots of this kind do. Its environment is what talk.py gives to every bot.
"""

import json
import os
import time

import aiohttp
import discord

# The one place where discord.py takes an address.
discord.http.Route.BASE = os.environ["DISCORD_API_BASE"] + "/api/v10"

EVERY = 1.0
LIMIT = 2000


async def words(session, question):
    request = {
        "model": os.environ["OPENAI_MODEL"],
        "stream": True,
        "messages": [{"role": "user", "content": question}],
    }
    key = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    async with session.post(os.environ["OPENAI_API_BASE"] + "/chat/completions", json=request, headers=key) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    yield choice["delta"].get("content") or ""


# The sharded client asks /gateway/bot where the gateway is; the other one has an address of its own.
class Bot(discord.AutoShardedClient):
    async def setup_hook(self):
        self.session = aiohttp.ClientSession()

    async def on_message(self, message):
        if message.author.bot or self.user not in message.mentions:
            return
        reply, text, edited = None, "", 0.0
        async for word in words(self.session, message.content):
            if len(text) + len(word) > LIMIT:
                await reply.edit(content=text)
                reply, text = None, ""
            text += word
            if not text.strip():
                continue
            if reply is None:
                reply, edited = await message.reply(text, mention_author=False), time.monotonic()
            elif time.monotonic() - edited >= EVERY:
                await reply.edit(content=text)
                edited = time.monotonic()
        if reply is not None and reply.content != text:
            await reply.edit(content=text)


intents = discord.Intents.default()
intents.message_content = True
Bot(intents=intents, allowed_mentions=discord.AllowedMentions.none()).run(os.environ["DISCORD_TOKEN"], log_level=40)
