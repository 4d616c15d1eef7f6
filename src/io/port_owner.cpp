// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/port_owner.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace spillway::io {
namespace {

namespace fs = std::filesystem;

constexpr AddressBytes kV4Any = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};

bool is_any(const AddressBytes& a) { return a == AddressBytes{} || a == kV4Any; }

bool conflict(const AddressBytes& a, const AddressBytes& b) { return a == b || is_any(a) || is_any(b); }

/// The kernel prints addresses as 32-bit words in host order: one word in tcp, four in tcp6.
std::optional<AddressBytes> parse_address(std::string_view hex) {
    AddressBytes out = kV4Any;
    if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
    std::size_t at = hex.size() == 8 ? 12 : 0;
    for (std::size_t i = 0; i < hex.size(); i += 8, at += 4) {
        std::uint32_t word = 0;
        const auto end = hex.data() + i + 8;
        if (std::from_chars(hex.data() + i, end, word, 16).ptr != end) return std::nullopt;
        std::memcpy(out.data() + at, &word, 4);
    }
    return out;
}

/// The next run of characters that are not spaces, taken off the front of `line`.
std::string_view next_field(std::string_view& line) {
    const auto begin = std::min(line.find_first_not_of(' '), line.size());
    const auto end = std::min(line.find(' ', begin), line.size());
    const auto field = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return field;
}

/// proc_net_tcp: `sl local rem st tx:rx tr:when retrnsmt uid timeout inode ...`.
std::optional<std::uint64_t> inode_if_listening(std::string_view line, const AddressBytes& address,
                                                std::uint16_t port) {
    static_cast<void>(next_field(line));
    const auto local = next_field(line);
    static_cast<void>(next_field(line));
    if (next_field(line) != "0A") return std::nullopt;  // TCP_LISTEN
    const auto colon = local.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::uint16_t local_port = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), local_port, 16);
    const auto local_address = parse_address(local.substr(0, colon));
    if (local_port != port || !local_address || !conflict(*local_address, address)) return std::nullopt;
    for (int skipped = 0; skipped < 5; ++skipped) static_cast<void>(next_field(line));
    const auto text = next_field(line);
    std::uint64_t inode = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), inode).ec != std::errc{} || inode == 0)
        return std::nullopt;
    return inode;
}

std::string read_text(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool holds_one_of(const fs::path& process, const std::vector<std::string>& links) {
    std::error_code error;
    for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
        std::error_code gone;  // descriptors come and go while we look
        const auto target = fs::read_symlink(fd->path(), gone);
        if (!gone && std::find(links.begin(), links.end(), target.native()) != links.end()) return true;
    }
    return false;
}

}  // namespace

std::vector<std::uint64_t> listening_inodes(std::string_view table, const AddressBytes& address, std::uint16_t port) {
    std::vector<std::uint64_t> inodes;
    while (!table.empty()) {
        const auto end = std::min(table.find('\n'), table.size());
        if (const auto inode = inode_if_listening(table.substr(0, end), address, port)) inodes.push_back(*inode);
        table.remove_prefix(std::min(end + 1, table.size()));
    }
    return inodes;
}

std::optional<PortOwner> find_port_owner(const AddressBytes& address, std::uint16_t port) {
    std::vector<std::string> links;
    for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"})
        for (const auto inode : listening_inodes(read_text(table), address, port))
            links.push_back("socket:[" + std::to_string(inode) + "]");
    if (links.empty()) return std::nullopt;
    std::error_code error;
    for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
        const std::string number = process->path().filename().string();
        pid_t pid = 0;
        if (std::from_chars(number.data(), number.data() + number.size(), pid).ptr != number.data() + number.size())
            continue;
        if (!holds_one_of(process->path(), links)) continue;
        auto name = read_text(process->path() / "comm");
        while (!name.empty() && name.back() == '\n') name.pop_back();
        return PortOwner{pid, std::move(name)};
    }
    return std::nullopt;
}

}  // namespace spillway::io
