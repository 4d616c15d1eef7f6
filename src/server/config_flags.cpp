// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config_flags.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "base/log.h"
#include "build_info.h"
#include "server/config_values.h"

namespace spillway::server {

namespace {

using base::concat;

constexpr CommandEntry kCommands[] = {
    {"serve", "", "serve; what happens without a command", Command::serve},
    {"check-config", "FILE", "say what is wrong with a configuration file", Command::check_config},
    {"doctor", "", "say what this host should have changed, and how", Command::doctor},
    {"publish", "CHANNEL EVENT [DATA]", "publish one event, or with --stdin each line of standard input",
     Command::publish},
    {"tail", "CHANNEL...", "print what is published to channels, a line for each event", Command::tail},
    {"profiles", "", "what --profile stands for", Command::profiles},
    {"manual", "", "this manual as a page for man(1)", Command::manual},
    {"completion", "bash|zsh", "what completes a command line in that shell", Command::completion},
};
constexpr CommandFlag kCommandFlags[] = {
    {"doctor", "json", "", "for machines", ""},
    {"publish", "url", "URL", "the server: ws://host:port/prefix", "where the configuration says that it listens"},
    {"publish", "key", "KEY", "the configured app of this key", "the first app"},
    {"publish", "stdin", "", "each line of standard input is the data of one message, sent through one WebSocket", ""},
    {"publish", "json", "",
     "with --stdin: each line is a whole event as POST /events takes it, without CHANNEL and EVENT", ""},
    {"publish", "window", "N", "lines that may be without an answer", "1000"},
    {"tail", "url", "URL", "the server: ws://host:port/prefix", "where the configuration says that it listens"},
    {"tail", "key", "KEY", "the app of this key; one that is not configured hears public channels alone",
     "the first app"},
    {"tail", "pusher", "", "speak Pusher; what happens without a word", ""},
    {"tail", "feed", "", "speak Feed: data alone, a connection for each channel", ""},
    {"tail", "plain", "", "time, channel, event and data; what happens without a word", ""},
    {"tail", "json", "", "an object for each line", ""},
    {"tail", "event", "NAME", "only events of this name", "all"},
    {"tail", "count", "N", "leave after so many events", "never"},
    {"tail", "gaps", "", "with --reconnect: a line for each time without a connection", ""},
    {"tail", "reconnect", "", "connect again when the connection is lost, unless the server forbids it", ""},
};

constexpr std::string_view kCompanionsText =
    "publish and tail find server and app where the server finds them: in --config, SPILLWAY_... and its flags. "
    "Give the "
    "secret\n"
    "in SPILLWAY_APP or the file, not as --app, which other users of the host may see. They leave with 0 when done "
    "(Ctrl-C, "
    "and a reader\n"
    "that goes, are no fault), 1 when the server was not reached or lost, 2 for a command line that is not understood, "
    "3 when "
    "the server\n"
    "refused the app, a signature, a channel or a message.\n";

std::string quoted(std::string_view text) { return concat('\'', base::log::escaped(text, 64), '\''); }

/// Why a word that no flag and no command took is wrong.
std::string unknown_word(std::string_view word, std::string_view under) {
    if (!word.starts_with('-')) {
        std::vector<std::string_view> names;
        for (const CommandEntry& command : kCommands) names.push_back(command.name);
        return concat("unknown command ", quoted(word), suggestion(word, names));
    }
    const std::string_view flag = word.substr(0, word.find('='));
    std::vector<std::string> known = {"--app", "--config", "--help", "--version"};
    for (const Setting& setting : server_settings()) known.push_back(concat("--", setting.name));
    for (const CommandFlag& own : kCommandFlags)
        if (own.command == under) known.push_back(concat("--", own.name));
    const std::vector<std::string_view> names(known.begin(), known.end());
    return concat("unknown flag ", quoted(flag), suggestion(flag, names));
}

void append_entry(std::string& text, std::string_view head, std::string_view meaning, std::string_view standard) {
    constexpr std::size_t kMeaningColumn = 30;
    base::append(text, "  ", head);
    text.append(head.size() + 4 < kMeaningColumn ? kMeaningColumn - head.size() - 2 : 2, ' ');
    text += meaning;
    if (!standard.empty()) base::append(text, " [", standard, ']');
    text += '\n';
}

/// Of those of the table; nothing where no command was named.
const CommandEntry* command_in(const CLI::App& app) {
    const auto parsed = app.get_subcommands();
    const auto entry = std::ranges::find_if(kCommands, [&parsed](const CommandEntry& e) {
        return !parsed.empty() && parsed.front()->get_name() == e.name;
    });
    return entry == std::end(kCommands) ? nullptr : entry;
}

/// Fills what the app's options point to, and says in the line which command it is.
base::Result<void> parse(CLI::App& app, int argc, const char* const* argv, CommandLine& line) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        line.command = Command::help;
        if (const CommandEntry* entry = command_in(app)) line.about = entry->name;
        return {};
    } catch (const CLI::CallForVersion&) {
        line.command = Command::version;
        return {};
    } catch (const CLI::ArgumentMismatch& error) {
        const std::string_view reason(error.what());  // begins with the flag and a colon
        return base::fail(concat(reason.substr(0, reason.find(':')), ": a value must follow"));
    } catch (const CLI::Error& error) {
        return base::fail(std::string(error.what()));
    }
    const CommandEntry* entry = command_in(app);
    if (const auto extras = app.remaining(true); !extras.empty())
        return base::fail(unknown_word(extras.front(), entry != nullptr ? entry->name : ""));
    if (entry != nullptr) line.command = entry->command;
    return {};
}

}  // namespace

base::Result<CommandLine> read_command_line(int argc, const char* const* argv) {
    const auto settings = server_settings();
    std::vector<std::string> words(settings.size());  // fixed in place: the options below point into it
    CommandLine line;
    CLI::App app("spillway");
    app.allow_extras();
    app.set_help_flag("-h,--help");
    app.set_version_flag("--version", version_text());
    constexpr auto last = CLI::MultiOptionPolicy::TakeLast;
    app.add_option("--config", line.config_file)->multi_option_policy(last);
    app.add_option("--app", line.apps)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    const auto add = [](CLI::App& to, const std::string& flag, std::string_view operand, std::string& word) {
        return (operand.empty() ? to.add_flag(flag, word) : to.add_option(flag, word))->multi_option_policy(last);
    };
    std::vector<const CLI::Option*> options;
    options.reserve(settings.size());
    for (std::size_t i = 0; i < settings.size(); ++i)
        options.push_back(add(app, concat("--", settings[i].name), settings[i].operand, words[i]));
    for (const CommandEntry& entry : kCommands) app.add_subcommand(std::string(entry.name))->fallthrough();
    std::string file;
    app.get_subcommand("check-config")->add_option("FILE", file);
    app.get_subcommand("publish")->add_option("OPERANDS", line.operands);
    app.get_subcommand("tail")->add_option("CHANNEL", line.operands);
    app.get_subcommand("completion")->add_option("SHELL", line.shell);
    std::array<std::string, std::size(kCommandFlags)> own_words;
    std::array<const CLI::Option*, std::size(kCommandFlags)> own{};
    for (std::size_t i = 0; i < own.size(); ++i) {
        CLI::App* command = app.get_subcommand(std::string(kCommandFlags[i].command));
        own[i] = add(*command, concat("--", kCommandFlags[i].name), kCommandFlags[i].operand, own_words[i]);
    }
    app.require_subcommand(0, 1);

    if (auto parsed = parse(app, argc, argv, line); !parsed) return base::fail(std::move(parsed).error());
    if (!file.empty()) line.config_file = std::move(file);
    for (std::size_t i = 0; i < settings.size(); ++i) {
        if (options[i]->count() > 0) line.settings.emplace_back(&settings[i], std::move(words[i]));
    }
    for (std::size_t i = 0; i < own.size(); ++i) {
        if (own[i]->count() > 0) line.own.emplace_back(&kCommandFlags[i], std::move(own_words[i]));
    }
    return line;
}

std::span<const CommandEntry> commands() { return kCommands; }
std::span<const CommandFlag> command_flags() { return kCommandFlags; }

std::optional<std::string_view> CommandLine::given(std::string_view name) const {
    for (const auto& [flag, text] : own) {
        if (flag->name == name) return text;
    }
    return std::nullopt;
}

namespace {

/// Where the secret of a flag's operand begins: in an app after the second colon (in a word with fewer, which is no app but
/// may hold one all the same, after the first), elsewhere at once.
std::size_t secret_begin(std::string_view flag, std::string_view operand) {
    if (flag != "app") return 0;
    const std::size_t first = operand.find(':');
    const std::size_t second = first == std::string_view::npos ? first : operand.find(':', first + 1);
    return (second != std::string_view::npos ? second : first) + 1;  // npos + 1 is 0
}

bool takes_secret(std::string_view flag) {
    const Setting* setting = find_setting(flag);
    return flag == "app" || (setting != nullptr && setting->operand == "TOKEN");
}

}  // namespace

bool hide_secrets(int argc, char** argv) {
    bool any = false;
    std::string_view flag;  // whose operand the next word is
    for (int i = 1; i < argc; ++i) {
        const std::string_view word(argv[i]);
        std::size_t operand = 0;
        if (!takes_secret(flag)) {
            flag = word.starts_with("--") ? word.substr(2, word.find('=') - 2) : std::string_view{};
            operand = word.find('=') + 1;  // npos + 1 is 0
            if (operand == 0 || !takes_secret(flag)) continue;
        }
        const std::size_t begin = operand + secret_begin(flag, word.substr(operand));
        std::fill(argv[i] + begin, argv[i] + word.size(), '*');
        flag = {};
        any = true;
    }
    return any;
}

std::vector<std::string> take_variables(char** environment) {
    std::vector<std::string> taken;
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view entry(*environment);
        const std::size_t equals = entry.find('=');
        if (!entry.starts_with("SPILLWAY_") || equals == std::string_view::npos) continue;
        taken.emplace_back(entry);
        const std::string_view name = entry.substr(0, equals);
        const auto settings = server_settings();
        if (name == "SPILLWAY_APP" || std::ranges::any_of(settings, [name](const Setting& s) {
                return s.operand == "TOKEN" && variable_name(s.name) == name;
            }))
            std::fill(*environment + equals + 1, *environment + entry.size(), '*');
    }
    return taken;
}

namespace {

std::string with_operand(std::string_view name, std::string_view operand) {
    return concat(name, operand.empty() ? "" : " ", operand);
}

/// The flags that this command alone has; nothing where it has none.
void append_own_flags(std::string& text, std::string_view command) {
    bool any = false;
    for (const CommandFlag& flag : kCommandFlags) {
        if (flag.command != command) continue;
        if (!std::exchange(any, true)) base::append(text, "\nFlags of ", command, ":\n");
        append_entry(text, with_operand(concat("--", flag.name), flag.operand), flag.meaning, flag.standard);
    }
}

void append_settings(std::string& text) {
    append_entry(text, "--config FILE", "a TOML file with these names, and apps, in it", "none");
    append_entry(text, "--app ID:KEY:SECRET", "an app that may be used; repeatable, replaces those of the file",
                 "app-id:app-key:app-secret, for development");
    for (const Setting& setting : server_settings())
        append_entry(text, with_operand(concat("--", setting.name), setting.operand), setting.meaning,
                     setting.standard);
    append_entry(text, "--version", "print version and build, and leave", "");
    append_entry(text, "-h, --help", "print this, and leave; behind a command, what is about that command", "");
}

std::string help_about(const CommandEntry& command) {
    std::string text =
        concat("Usage: spillway ", with_operand(command.name, command.operand), " [flags]\n\n", command.meaning, "\n");
    append_own_flags(text, command.name);
    if (command.command == Command::publish || command.command == Command::tail)
        base::append(text, "\n", kCompanionsText);
    text +=
        "\nThe server's flags (--config, --app, --port and so on) may stand here, too: spillway --help lists them.\n";
    return text;
}

}  // namespace

std::string help_text(std::string_view about) {
    for (const CommandEntry& command : kCommands)
        if (command.name == about && command.command != Command::serve) return help_about(command);
    std::string text =
        "Spillway, a WebSocket broadcast server that speaks the Pusher Channels protocol.\n"
        "\n"
        "Usage: spillway [COMMAND] [flags]\n"
        "\n"
        "Commands:\n";
    for (const CommandEntry& command : kCommands)
        append_entry(text, with_operand(command.name, command.operand), command.meaning, "");
    for (const CommandEntry& command : kCommands) append_own_flags(text, command.name);
    base::append(text, "\n", kCompanionsText);
    text +=
        "\n"
        "Flags (a flag beats its environment variable, which beats the configuration file):\n";
    append_settings(text);
    text +=
        "\n"
        "Every flag is an environment variable too: --ping-interval is SPILLWAY_PING_INTERVAL; several apps in "
        "SPILLWAY_APP\n"
        "are divided by spaces. In the file the same names stand under [server], with _ for -, and apps under "
        "[[app]].\n"
        "TIME is 30s, 500ms, 2m, 1h or a number of seconds; SIZE is 64KiB, 1MiB, 10kB or a number of bytes.\n";
    return text;
}

std::string_view companions_text() { return kCompanionsText; }

std::string version_text() { return concat("spillway ", kVersion, " (", kBuildId, ')'); }

}  // namespace spillway::server
