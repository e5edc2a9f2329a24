"""A bot on discord.py against the emulated Discord: `discord_py.py ORIGIN`, its token in DISCORD_TOKEN.

Nothing in here knows that Discord is emulated but for the address. It prints a line of JSON for each thing that it saw
or did; tests/it/clients.rs plays the people and reads them.
"""

import io
import json
import os
import sys

import discord
from discord import app_commands

# The one place where discord.py takes an address; the gateway's comes from /gateway/bot.
discord.http.Route.BASE = f"{sys.argv[1]}/api/v10"


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Feedback(discord.ui.Modal, title="Feedback"):
    words = discord.ui.TextInput(label="Words", custom_id="words", default="none")

    async def on_submit(self, interaction):
        say("modal", words=self.words.value)
        await interaction.response.send_message(f"thanks for {self.words.value}", ephemeral=True)


class Controls(discord.ui.View):
    @discord.ui.button(label="Press", style=discord.ButtonStyle.primary, custom_id="press:1")
    async def press(self, interaction, button):
        say("pressed", by=interaction.user.name)
        button.disabled = True
        await interaction.response.edit_message(content="pressed", view=self)
        await interaction.followup.send("and more", ephemeral=True)

    @discord.ui.select(custom_id="choose:1", options=[discord.SelectOption(label=one, value=one) for one in ("tea", "milk")])
    async def choose(self, interaction, select):
        await interaction.response.send_modal(Feedback(custom_id="feedback:1"))
        # Nobody fills a form in before it was shown.
        say("chosen", values=select.values)


class Bot(discord.AutoShardedClient):
    def __init__(self):
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents, allowed_mentions=discord.AllowedMentions.none())
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self):
        tree = self.tree

        @tree.command(description="Answers at once")
        async def ping(interaction: discord.Interaction, text: str):
            await interaction.response.send_message(f"pong {text}")
            message = await interaction.original_response()
            say("ping", text=text, id=str(message.id), locale=str(interaction.locale))

        @tree.command(description="Answers later")
        async def later(interaction: discord.Interaction):
            await interaction.response.defer(ephemeral=True, thinking=True)
            await interaction.edit_original_response(content="at last")
            more = await interaction.followup.send("one more", wait=True)
            await more.edit(content="one more, edited")
            say("later")

        fruits = ["apple", "apricot", "pear"]

        @tree.command(description="Takes a fruit")
        async def fruit(interaction: discord.Interaction, name: str):
            await interaction.response.send_message(name)

        @fruit.autocomplete("name")
        async def names(interaction: discord.Interaction, current: str):
            return [app_commands.Choice(name=one, value=one) for one in fruits if one.startswith(current)]

        @tree.context_menu(name="Count words")
        async def count(interaction: discord.Interaction, message: discord.Message):
            await interaction.response.send_message(f"{len(message.content.split())} words", ephemeral=True)

        @tree.error
        async def failed(interaction, error):
            say("error", what=repr(error))

        synced = await tree.sync()
        fetched = await tree.fetch_commands()
        say("synced", names=sorted(command.name for command in synced), fetched=len(fetched))

    async def on_ready(self):
        info = await self.application_info()
        guild = self.guilds[0]
        say(
            "ready",
            user=str(self.user.id),
            guild=guild.name,
            channels=[channel.name for channel in guild.text_channels],
            owner=info.owner.name,
            me=guild.me.guild_permissions.send_messages,
            shards=self.shard_count,
        )

    async def on_resumed(self):
        say("resumed")

    async def on_shard_resumed(self, shard):
        say("resumed", shard=shard)

    async def on_message(self, message):
        if message.author == self.user or not self.user.mentioned_in(message):
            if isinstance(message.channel, discord.DMChannel) and message.author != self.user:
                await message.channel.send(f"in private: {message.content}")
            return
        if "everything" in message.content:
            await self.everything(message)
        else:
            await message.reply("heard")
        say("answered", question=str(message.id))

    async def everything(self, message):
        async with message.channel.typing():
            embed = discord.Embed(title="Title", description="Text", color=0x336699)
            embed.add_field(name="Name", value="Value")
            reply = await message.reply("first", embed=embed, file=discord.File(io.BytesIO(b"hello"), "hello.txt"))
        await reply.edit(content="second", attachments=reply.attachments)
        await message.add_reaction("\N{THUMBS UP SIGN}")
        await message.add_reaction("\N{EYES}")
        await message.remove_reaction("\N{EYES}", self.user)
        again = await message.channel.fetch_message(message.id)
        say("reactions", found=[str(reaction.emoji) for reaction in again.reactions])
        history = [one.id async for one in message.channel.history(limit=10)]
        say("history", newest_first=history == sorted(history, reverse=True), length=len(history))
        file = await reply.attachments[0].read()
        say("file", text=file.decode())
        thread = await message.create_thread(name="A thread", auto_archive_duration=60)
        await thread.send("inside", view=Controls(timeout=None))
        await thread.edit(name="Another name")
        gone = await message.channel.send("for a moment")
        await gone.delete()
        try:
            await gone.edit(content="too late")
        except discord.NotFound as error:
            say("refused", code=error.code)
        try:
            await message.channel.send("x" * 2001)
        except discord.HTTPException as error:
            say("refused", code=error.code)

    async def on_message_edit(self, before, after):
        if after.author != self.user:
            say("edited", text=after.content)

    async def on_raw_message_delete(self, payload):
        say("deleted", id=str(payload.message_id))

    async def on_raw_reaction_add(self, payload):
        if payload.user_id != self.user.id:
            say("reacted", emoji=str(payload.emoji))

    async def on_thread_create(self, thread):
        say("thread", name=thread.name, parent=str(thread.parent_id))

    async def on_error(self, event, *arguments):
        say("error", what=f"{event}: {sys.exc_info()[1]!r}")


Bot().run(os.environ["DISCORD_TOKEN"])
