// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/host_facts.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

namespace spillway::io {
namespace {

namespace fs = std::filesystem;

std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Words between blanks, taken off the front of `text`; empty at its end.
std::string_view take_word(std::string_view& text) {
    constexpr std::string_view blanks = " \t\n";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    return word;
}

std::optional<std::uint64_t> number_of(std::string_view word) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return value;
}

std::optional<std::uint64_t> read_number(const std::string& path) {
    const std::string text = read_text(path);
    std::string_view rest = text;
    return number_of(take_word(rest));
}

std::optional<HostFacts::Triple> read_triple(const std::string& path) {
    const std::string text = read_text(path);
    std::string_view rest = text;
    HostFacts::Triple triple = {};
    for (std::uint64_t& part : triple) {
        const auto number = number_of(take_word(rest));
        if (!number) return std::nullopt;
        part = *number;
    }
    return triple;
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
        names.push_back(at->path().filename().string());
    std::ranges::sort(names);
    return names;
}

void read_network(const std::string& net, HostFacts& facts) {
    facts.syn_backlog = read_number(net + "/ipv4/tcp_max_syn_backlog");
    facts.tcp_mem = read_triple(net + "/ipv4/tcp_mem");
    facts.tcp_rmem = read_triple(net + "/ipv4/tcp_rmem");
    facts.tcp_wmem = read_triple(net + "/ipv4/tcp_wmem");
    facts.send_buffer_max = read_number(net + "/core/wmem_max");
    facts.connections_max = read_number(net + "/netfilter/nf_conntrack_max");
    facts.connections_now = read_number(net + "/netfilter/nf_conntrack_count");
    const std::string ports = read_text(net + "/ipv4/ip_local_port_range");
    std::string_view rest = ports;
    facts.first_local_port = number_of(take_word(rest));
    facts.last_local_port = number_of(take_word(rest));
}

void read_cpus(const std::string& folder, HostFacts& facts) {
    for (const std::string& name : names_in(folder)) {
        if (!name.starts_with("cpu")) continue;
        const std::string text = read_text(folder + "/" + name + "/cpufreq/scaling_governor");
        std::string_view rest = text;
        const std::string governor(take_word(rest));
        if (!governor.empty() && std::ranges::find(facts.governors, governor) == facts.governors.end())
            facts.governors.push_back(governor);
    }
}

/// The word in brackets: "always [madvise] never".
std::string chosen_word(std::string_view text) {
    const std::size_t open = text.find('[');
    const std::size_t close = text.find(']');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
    return std::string(text.substr(open + 1, close - open - 1));
}

std::optional<std::uint64_t> memory_of(std::string_view meminfo) {
    const std::size_t at = meminfo.find("MemTotal:");
    if (at == std::string_view::npos) return std::nullopt;
    std::string_view rest = meminfo.substr(at + 9);
    const auto kib = number_of(take_word(rest));
    return kib ? std::optional(*kib * 1024) : std::nullopt;
}

}  // namespace

HostFacts read_host(const std::string& root) {
    HostFacts facts;
    facts.files_of_host = read_number(root + "/proc/sys/fs/file-max");
    facts.files_of_process = read_number(root + "/proc/sys/fs/nr_open");
    read_network(root + "/proc/sys/net", facts);
    read_cpus(root + "/sys/devices/system/cpu", facts);
    facts.memory_bytes = memory_of(read_text(root + "/proc/meminfo"));
    facts.page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    facts.network_interrupts =
        network_interrupts(read_text(root + "/proc/interrupts"), names_in(root + "/sys/class/net"));
    facts.huge_pages = chosen_word(read_text(root + "/sys/kernel/mm/transparent_hugepage/enabled"));
    return facts;
}

std::vector<std::uint64_t> network_interrupts(std::string_view table, const std::vector<std::string>& devices) {
    std::string_view head = table.substr(0, table.find('\n'));
    std::size_t cpus = 0;
    while (take_word(head).starts_with("CPU")) ++cpus;
    std::vector<std::uint64_t> sums(cpus);
    while (!table.empty()) {
        const std::string_view line = table.substr(0, table.find('\n'));
        table.remove_prefix(std::min(line.size() + 1, table.size()));
        std::string_view rest = line;
        if (!take_word(rest).ends_with(':')) continue;
        std::vector<std::uint64_t> counts;
        while (counts.size() < cpus) {
            const auto count = number_of(take_word(rest));
            if (!count) break;
            counts.push_back(*count);
        }
        const bool queue =
            rest.find("virtio") != std::string_view::npos &&
            (rest.find("-input") != std::string_view::npos || rest.find("-output") != std::string_view::npos);
        const bool ours = queue || std::ranges::any_of(devices, [rest](const std::string& device) {
                              return device != "lo" && rest.find(device) != std::string_view::npos;
                          });
        if (!ours || counts.size() != cpus) continue;
        for (std::size_t i = 0; i < cpus; ++i) sums[i] += counts[i];
    }
    return sums;
}

}  // namespace spillway::io
