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
    {"serve", "", "serve; what happens without a command"},
    {"check-config", "FILE", "say what is wrong with a configuration file"},
    {"doctor", "", "say what this host should have changed, and how"},
    {"publish", "CHANNEL EVENT [DATA]", "publish one event, or with --stdin each line of standard input"},
    {"tail", "CHANNEL...", "print what is published to channels, a line for each event"},
    {"profiles", "", "what --profile stands for"},
    {"manual", "", "this manual as a page for man(1)"},
    {"completion", "bash|zsh", "what completes a command line in that shell"},
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
    "publish and tail find server and app where the server finds them: in --config, SPILLWAY_... and the flags below. "
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

}  // namespace

base::Result<CommandLine> read_command_line(int argc, const char* const* argv) {
    const auto settings = server_settings();
    std::vector<std::string> words(settings.size());  // fixed in place: the options below point into it
    CommandLine line;
    CLI::App app("spillway");
    app.allow_extras();
    app.set_help_flag("-h,--help");
    app.set_version_flag("--version", version_text());
    const auto last = CLI::MultiOptionPolicy::TakeLast;
    app.add_option("--config", line.config_file)->multi_option_policy(last);
    app.add_option("--app", line.apps)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    std::vector<const CLI::Option*> options;
    for (std::size_t i = 0; i < settings.size(); ++i) {
        const std::string flag = concat("--", settings[i].name);
        options.push_back(settings[i].operand.empty() ? app.add_flag(flag, words[i])->multi_option_policy(last)
                                                      : app.add_option(flag, words[i])->multi_option_policy(last));
    }
    app.add_subcommand("serve")->fallthrough();
    CLI::App* check = app.add_subcommand("check-config")->fallthrough();
    std::string file;
    check->add_option("FILE", file);
    const CLI::App* doctor = app.add_subcommand("doctor")->fallthrough();
    CLI::App* publish = app.add_subcommand("publish")->fallthrough();
    publish->add_option("OPERANDS", line.operands);
    CLI::App* tail = app.add_subcommand("tail")->fallthrough();
    tail->add_option("CHANNEL", line.operands);
    const CLI::App* manual = app.add_subcommand("manual")->fallthrough();
    CLI::App* completion = app.add_subcommand("completion")->fallthrough();
    completion->add_option("SHELL", line.shell);
    const CLI::App* profiles = app.add_subcommand("profiles")->fallthrough();
    std::array<std::string, std::size(kCommandFlags)> own_words;
    std::array<const CLI::Option*, std::size(kCommandFlags)> own{};
    for (std::size_t i = 0; i < own.size(); ++i) {
        CLI::App* command = app.get_subcommand(std::string(kCommandFlags[i].command));
        const std::string flag = concat("--", kCommandFlags[i].name);
        own[i] = kCommandFlags[i].operand.empty() ? command->add_flag(flag, own_words[i])
                                                  : command->add_option(flag, own_words[i])->multi_option_policy(last);
    }
    app.require_subcommand(0, 1);

    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        line.command = Command::help;
        return line;
    } catch (const CLI::CallForVersion&) {
        line.command = Command::version;
        return line;
    } catch (const CLI::ArgumentMismatch& error) {
        const std::string_view reason(error.what());  // begins with the flag and a colon
        return base::fail(concat(reason.substr(0, reason.find(':')), ": a value must follow"));
    } catch (const CLI::Error& error) {
        return base::fail(std::string(error.what()));
    }
    if (const auto extras = app.remaining(true); !extras.empty()) {
        const auto parsed = app.get_subcommands();
        return base::fail(unknown_word(extras.front(), parsed.empty() ? std::string{} : parsed.front()->get_name()));
    }
    for (std::size_t i = 0; i < settings.size(); ++i) {
        if (options[i]->count() > 0) line.settings.emplace_back(&settings[i], std::move(words[i]));
    }
    for (std::size_t i = 0; i < own.size(); ++i) {
        if (own[i]->count() > 0) line.own.emplace_back(&kCommandFlags[i], std::move(own_words[i]));
    }
    if (publish->parsed()) line.command = Command::publish;
    if (tail->parsed()) line.command = Command::tail;
    if (manual->parsed()) line.command = Command::manual;
    if (completion->parsed()) line.command = Command::completion;
    if (doctor->parsed()) line.command = Command::doctor;
    if (profiles->parsed()) line.command = Command::profiles;
    if (check->parsed()) {
        line.command = Command::check_config;
        if (!file.empty()) line.config_file = std::move(file);
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

std::string help_text() {
    std::string text =
        "Spillway, a WebSocket broadcast server that speaks the Pusher Channels protocol.\n"
        "\n"
        "Usage: spillway [COMMAND] [flags]\n"
        "\n"
        "Commands:\n";
    for (const CommandEntry& command : kCommands)
        append_entry(text, concat(command.name, command.operand.empty() ? "" : " ", command.operand), command.meaning,
                     "");
    for (const CommandEntry& command : kCommands) {
        if (std::ranges::none_of(kCommandFlags, [&](const CommandFlag& f) { return f.command == command.name; }))
            continue;
        base::append(text, "\nFlags of ", command.name, ":\n");
        for (const CommandFlag& flag : kCommandFlags) {
            if (flag.command != command.name) continue;
            append_entry(text, concat("--", flag.name, flag.operand.empty() ? "" : " ", flag.operand), flag.meaning,
                         flag.standard);
        }
    }
    base::append(text, "\n", kCompanionsText);
    text +=
        "\n"
        "Flags (a flag beats its environment variable, which beats the configuration file):\n";
    append_entry(text, "--config FILE", "a TOML file with these names, and apps, in it", "none");
    append_entry(text, "--app ID:KEY:SECRET", "an app that may be used; repeatable, replaces those of the file",
                 "app-id:app-key:app-secret, for development");
    for (const Setting& setting : server_settings()) {
        append_entry(
            text,
            setting.operand.empty() ? concat("--", setting.name) : concat("--", setting.name, ' ', setting.operand),
            setting.meaning, setting.standard);
    }
    append_entry(text, "--version", "print version and build, and leave", "");
    append_entry(text, "-h, --help", "print this, and leave", "");
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
