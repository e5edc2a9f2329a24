// A bot on discord.js against the emulated Discord: `discord_js.cjs ORIGIN`, its token in DISCORD_TOKEN.
//
// Does and tells what discord_py.py does and tells; the two libraries share nothing but Discord's documentation.

"use strict";

const {
  ActionRowBuilder, ApplicationCommandType, AttachmentBuilder, ButtonBuilder, ButtonStyle, Client, ContextMenuCommandBuilder,
  EmbedBuilder, Events, GatewayIntentBits, MessageFlags, ModalBuilder, Partials, SlashCommandBuilder,
  StringSelectMenuBuilder, TextInputBuilder, TextInputStyle,
} = require("discord.js");

const say = (event, fields = {}) => console.log(JSON.stringify({ event, ...fields }));

const client = new Client({
  intents: [
    GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.GuildMessageReactions,
    GatewayIntentBits.DirectMessages, GatewayIntentBits.MessageContent,
  ],
  partials: [Partials.Channel, Partials.Message, Partials.Reaction],
  allowedMentions: { parse: [], repliedUser: false },
  // The one place where discord.js takes an address; the gateway's comes from /gateway/bot.
  rest: { api: `${process.argv[2]}/api` },
});

const commands = [
  new SlashCommandBuilder().setName("ping").setDescription("Answers at once")
    .addStringOption((option) => option.setName("text").setDescription("What").setRequired(true)),
  new SlashCommandBuilder().setName("later").setDescription("Answers later"),
  new SlashCommandBuilder().setName("fruit").setDescription("Takes a fruit")
    .addStringOption((option) => option.setName("name").setDescription("Which").setAutocomplete(true).setRequired(true)),
  new ContextMenuCommandBuilder().setName("Count words").setType(ApplicationCommandType.Message),
];

const controls = () => [
  new ActionRowBuilder().addComponents(
    new ButtonBuilder().setCustomId("press:1").setLabel("Press").setStyle(ButtonStyle.Primary)),
  new ActionRowBuilder().addComponents(
    new StringSelectMenuBuilder().setCustomId("choose:1")
      .addOptions(["tea", "milk"].map((one) => ({ label: one, value: one })))),
];

const feedback = () => new ModalBuilder().setCustomId("feedback:1").setTitle("Feedback").addComponents(
  new ActionRowBuilder().addComponents(
    new TextInputBuilder().setCustomId("words").setLabel("Words").setValue("none").setStyle(TextInputStyle.Short)));

async function refused(attempt) {
  try {
    await attempt();
  } catch (error) {
    say("refused", { code: error.code });
  }
}

async function everything(message) {
  await message.channel.sendTyping();
  const embed = new EmbedBuilder().setTitle("Title").setDescription("Text").setColor(0x336699)
    .addFields({ name: "Name", value: "Value" });
  const file = new AttachmentBuilder(Buffer.from("hello"), { name: "hello.txt" });
  const reply = await message.reply({ content: "first", embeds: [embed], files: [file] });
  await reply.edit({ content: "second" });
  await message.react("👍");
  await message.react("👀");
  await message.reactions.resolve("👀").users.remove(client.user);
  const again = await message.channel.messages.fetch({ message: message.id, force: true });
  say("reactions", { found: [...again.reactions.cache.values()].filter((one) => one.count > 0).map((one) => one.emoji.name) });
  const history = [...(await message.channel.messages.fetch({ limit: 10 })).keys()].map(BigInt);
  say("history", { newest_first: history.every((id, at) => at === 0 || id < history[at - 1]), length: history.length });
  say("file", { text: await (await fetch(reply.attachments.first().url)).text() });
  const thread = await message.startThread({ name: "A thread", autoArchiveDuration: 60 });
  await thread.send({ content: "inside", components: controls() });
  await thread.setName("Another name");
  const gone = await message.channel.send("for a moment");
  await gone.delete();
  await refused(() => gone.edit("too late"));
  await refused(() => message.channel.send("x".repeat(2001)));
}

const acts = {
  async ping(interaction) {
    const text = interaction.options.getString("text");
    const answer = await interaction.reply({ content: `pong ${text}`, withResponse: true });
    say("ping", { text, id: answer.resource.message.id, locale: interaction.locale });
  },
  async later(interaction) {
    await interaction.deferReply({ flags: MessageFlags.Ephemeral });
    await interaction.editReply("at last");
    const more = await interaction.followUp("one more");
    await interaction.editReply({ message: more, content: "one more, edited" });
    say("later");
  },
  fruit: (interaction) => interaction.reply(interaction.options.getString("name")),
  "Count words": (interaction) => interaction.reply({
    content: `${interaction.targetMessage.content.split(/\s+/).length} words`, flags: MessageFlags.Ephemeral,
  }),
};

client.on(Events.InteractionCreate, async (interaction) => {
  if (interaction.isAutocomplete()) {
    const typed = interaction.options.getFocused();
    const found = ["apple", "apricot", "pear"].filter((one) => one.startsWith(typed));
    await interaction.respond(found.map((one) => ({ name: one, value: one })));
  } else if (interaction.isCommand()) {
    await acts[interaction.commandName](interaction);
  } else if (interaction.isButton()) {
    say("pressed", { by: interaction.user.username });
    await interaction.update({ content: "pressed", components: [] });
    await interaction.followUp({ content: "and more", flags: MessageFlags.Ephemeral });
  } else if (interaction.isStringSelectMenu()) {
    await interaction.showModal(feedback());
    say("chosen", { values: interaction.values });
  } else if (interaction.isModalSubmit()) {
    const words = interaction.fields.getTextInputValue("words");
    say("modal", { words });
    await interaction.reply({ content: `thanks for ${words}`, flags: MessageFlags.Ephemeral });
  }
});

client.on(Events.MessageCreate, async (message) => {
  if (message.author.id === client.user.id) return;
  if (!message.inGuild()) {
    await message.channel.send(`in private: ${message.content}`);
  } else if (message.mentions.has(client.user)) {
    await (message.content.includes("everything") ? everything(message) : message.reply("heard"));
    say("answered", { question: message.id });
  }
});

client.on(Events.MessageUpdate, (before, after) => {
  if (after.author?.id !== client.user.id) say("edited", { text: after.content });
});
client.on(Events.MessageDelete, (message) => say("deleted", { id: message.id }));
client.on(Events.MessageReactionAdd, (reaction, user) => {
  if (user.id !== client.user.id) say("reacted", { emoji: reaction.emoji.name });
});
client.on(Events.ShardResume, () => say("resumed"));
client.on(Events.Error, (error) => say("error", { what: String(error) }));
process.on("unhandledRejection", (error) => say("error", { what: String(error?.stack ?? error) }));

client.once(Events.ClientReady, async () => {
  const synced = await client.application.commands.set(commands.map((one) => one.toJSON()));
  const fetched = await client.application.commands.fetch();
  say("synced", { names: synced.map((one) => one.name).sort(), fetched: fetched.size });
  const application = await client.application.fetch();
  const guild = client.guilds.cache.first();
  say("ready", {
    user: client.user.id,
    guild: guild.name,
    channels: guild.channels.cache.filter((one) => one.isTextBased()).map((one) => one.name),
    owner: application.owner.username,
    me: guild.members.me.permissions.has("SendMessages"),
    shards: client.ws.shards.size,
  });
});

client.login(process.env.DISCORD_TOKEN);
