// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/manual.h"

#include <vector>

#include "base/format.h"
#include "build_info.h"
#include "server/config_flags.h"
#include "server/config_profiles.h"
#include "server/config_settings.h"

namespace spillway::server {
namespace {

using base::append;
using base::concat;

/// A flag with its words, settings and the few others alike.
struct Flag {
    std::string name;  // with its dashes
    std::string_view operand;
    std::string_view meaning;
    std::string_view standard;
};

std::vector<Flag> flags() {
    std::vector<Flag> all = {
        {"--config", "FILE", "a TOML file with these names, and apps, in it", "none"},
        {"--app", "ID:KEY:SECRET", "an app that may be used; repeatable, replaces those of the file",
         "app-id:app-key:app-secret, for development"},
    };
    for (const Setting& s : server_settings()) all.push_back({concat("--", s.name), s.operand, s.meaning, s.standard});
    all.push_back({"--version", "", "print version and build, and leave", ""});
    all.push_back({"--help", "", "print the flags, and leave", ""});
    return all;
}

/// Text as roff takes it: no word of it is an order, and dashes stay dashes.
std::string roff(std::string_view text) {
    std::string out;
    if (text.starts_with('.') || text.starts_with('\'')) out += "\\&";
    for (const char c : text) {
        if (c == '\\') out += "\\e";
        else if (c == '-') out += "\\-";
        else out += c;
    }
    return out;
}

/// Inside single quotes of a shell.
std::string shell_quoted(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\'') out += "'\\''";
        else out += c;
    }
    return out;
}

bool is_file(std::string_view operand) { return operand == "FILE" || operand == "SOCKET"; }

/// The words that an operand can be, where they can be listed.
std::string choices(std::string_view operand) {
    if (operand == "POLICY") return "drop-newest drop-oldest conflate disconnect";
    if (operand == "LEVEL") return "trace debug info warn error off";
    if (operand == "FORMAT") return "text json";
    std::string names;
    if (operand == "NAME")
        for (const Profile& profile : profiles()) append(names, names.empty() ? "" : " ", profile.name);
    return names;
}

std::string bash_completion() {
    std::string words;
    for (const CommandEntry& command : commands()) append(words, command.name, ' ');
    for (const Flag& flag : flags()) append(words, flag.name, ' ');
    std::string of_commands;  // their own flags; those without an operand that can be listed end where a word begins
    for (const CommandEntry& command : commands()) {
        std::string own;
        for (const CommandFlag& flag : command_flags())
            if (flag.command == command.name) append(own, "--", flag.name, ' ');
        if (!own.empty()) append(of_commands, "        ", command.name, ") words='", own, "' ;;\n");
    }
    std::string text =
        "# bash completion for spillway, written by spillway completion bash\n_spillway() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n    case $before in\n";
    for (const Flag& flag : flags()) {
        if (flag.operand.empty()) continue;
        const std::string list = choices(flag.operand);
        append(text, "        ", flag.name, ") ",
               is_file(flag.operand) ? std::string("COMPREPLY=($(compgen -f -- \"$word\"))")
               : list.empty()        ? std::string("COMPREPLY=()")
                                     : concat("COMPREPLY=($(compgen -W '", list, "' -- \"$word\"))"),
               "; return ;;\n");
    }
    append(text, "        check-config) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n",
           "        completion) COMPREPLY=($(compgen -W 'bash zsh' -- \"$word\")); return ;;\n",
           "    esac\n    local words=\n    case ${COMP_WORDS[1]} in\n", of_commands, "    esac\n",
           "    COMPREPLY=($(compgen -W \"$words ", words, "\" -- \"$word\"))\n}\ncomplete -F _spillway spillway\n");
    return text;
}

std::string zsh_completion() {
    std::string text =
        "#compdef spillway\n# zsh completion for spillway, written by spillway completion zsh\n_arguments \\\n";
    for (const Flag& flag : flags()) {
        std::string meaning;  // brackets and colons divide the fields
        for (const char c : flag.meaning)
            append(meaning, c == '[' || c == ']' || c == ':' ? "\\" : "", std::string_view(&c, 1));
        append(text, "    '", flag.name, flag.operand.empty() ? "" : "=", '[', shell_quoted(meaning), ']');
        const std::string list = choices(flag.operand);
        if (!flag.operand.empty())
            append(text, ": :",
                   is_file(flag.operand) ? std::string("_files")
                   : list.empty()        ? std::string(" ")
                                         : concat('(', list, ')'));
        text += "' \\\n";
    }
    for (const CommandFlag& flag : command_flags()) {
        if (text.find(concat("'--", flag.name, flag.operand.empty() ? "" : "=", '[')) != std::string::npos) continue;
        append(text, "    '--", flag.name, flag.operand.empty() ? "[of " : "=[of ", flag.command, ']',
               flag.operand.empty() ? "" : ": : ", "' \\\n");
    }
    text += "    '1: :(";
    for (const CommandEntry& command : commands()) append(text, command.name, ' ');
    text.back() = ')';
    return text + "' \\\n    '*: :_files'\n";
}

}  // namespace

std::string manual_page() {
    std::string text = concat(".TH SPILLWAY 1 \"\" \"spillway ", kVersion, "\" \"User Commands\"\n");
    text +=
        ".SH NAME\nspillway \\- WebSocket broadcast server that speaks the Pusher Channels protocol\n"
        ".SH SYNOPSIS\n.B spillway\n[\\fICOMMAND\\fR] [\\fIFLAGS\\fR]\n"
        ".SH DESCRIPTION\nTakes events in over HTTP or WebSocket and delivers them to very many WebSocket subscribers, "
        "fast, in "
        "bounded memory, for as long as the host runs.\n.SH COMMANDS\n";
    for (const CommandEntry& command : commands())
        append(text, ".TP\n.B ", roff(command.name),
               command.operand.empty() ? "" : concat(" \\fI", roff(command.operand), "\\fR"), "\n",
               roff(command.meaning), "\n");
    text += ".SH FLAGS OF COMMANDS\n";
    for (const CommandFlag& flag : command_flags()) {
        append(text, ".TP\n.B ", roff(flag.command), " \\-\\-", roff(flag.name),
               flag.operand.empty() ? "" : concat(" \\fI", roff(flag.operand), "\\fR"), "\n", roff(flag.meaning));
        if (!flag.standard.empty()) append(text, "\n.br\nDefault: ", roff(flag.standard));
        text += '\n';
    }
    append(text, ".PP\n", roff(companions_text()));
    text +=
        ".SH FLAGS\nA flag beats its environment variable, which beats the configuration file, which beats the "
        "profile.\n";
    for (const Flag& flag : flags()) {
        append(text, ".TP\n.B ", roff(flag.name),
               flag.operand.empty() ? "" : concat(" \\fI", roff(flag.operand), "\\fR"), "\n", roff(flag.meaning));
        if (!flag.standard.empty()) append(text, "\n.br\nDefault: ", roff(flag.standard));
        text += '\n';
    }
    text +=
        ".SH ENVIRONMENT\nEvery flag: \\fB\\-\\-ping\\-interval\\fR is \\fBSPILLWAY_PING_INTERVAL\\fR. Several apps in "
        "\\fBSPILLWAY_APP\\fR are divided by spaces.\n"
        ".SH FILES\nIn the configuration file the same names stand under [server], with _ for \\-, and apps under "
        "[[app]].\n"
        ".SH SIGNALS\n.TP\n.B SIGHUP\nreads the configuration again, and takes it whole or refuses it whole.\n"
        ".TP\n.BR SIGTERM \", \" SIGINT\ndrain: who had come is answered, what is queued is sent, clients are sent "
        "away; a "
        "second one cuts.\n"
        ".SH UPGRADING\nStart the new binary with \\fB\\-\\-take\\-over\\fR and the same configuration: it gets the "
        "listening sockets of the server at its address, which drains when the new one is ready; nobody is refused. "
        "Under "
        "systemd enable spillway.socket and restart spillway.service: connections wait in the socket.\n"
        ".SH EXIT STATUS\n0: done, or drained. 1: it could not start, or a configuration is refused; of "
        "\\fBdoctor\\fR: something "
        "should change. 2: the command line was not understood; of \\fBdoctor\\fR: Spillway cannot run here.\n"
        ".SH SEE ALSO\nsystemd.socket(5), io_uring(7)\n";
    return text;
}

base::Result<std::string> completion_script(std::string_view shell) {
    if (shell == "bash") return bash_completion();
    if (shell == "zsh") return zsh_completion();
    return base::fail("completion is written for bash or zsh: spillway completion bash");
}

}  // namespace spillway::server
