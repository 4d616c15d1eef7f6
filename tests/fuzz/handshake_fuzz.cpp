// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any header fields as an opening handshake: "METHOD MINOR", then "Name: value" in lines. Our answer is one whole head
// whatever came, and holds nothing of the client's but a subprotocol that is a token; what is accepted said what RFC 6455
// section 4.2.1 wants.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "property.h"
#include "ws/handshake.h"

using namespace spillway::ws;

namespace {

struct Field {
    std::string_view name;
    std::string_view value;
};

using spillway::fuzz::require;
using spillway::fuzz::take_line;

std::size_t lines_of(std::string_view head) {
    require(head.ends_with("\r\n\r\n") && head.find("\r\n\r\n") == head.size() - 4);
    std::size_t lines = 0;
    for (std::size_t i = 0; i < head.size(); ++i) {
        require((head[i] == '\r') == (i + 1 < head.size() && head[i + 1] == '\n'));
        lines += head[i] == '\n' ? 1 : 0;
    }
    return lines;
}

void check_accepted(const UpgradeFields& fields, const Accepted& accepted) {
    require(fields.method == "GET" && fields.minor_version >= 1 && fields.host_count == 1);
    require(fields.version == "13" && fields.key_count == 1 && fields.version_count == 1 && fields.key.size() == 24);
    require(accepted.accept_key.size() == 28);
    constexpr std::string_view kDividers = " \t\r\n,;:\"()<>@[]{}?=/\\";
    require(accepted.subprotocol.find_first_of(kDividers) == std::string_view::npos);
    std::string head;
    write_accept(head, accepted, "X-A: b\r\n");
    require(lines_of(head) == (accepted.subprotocol.empty() ? 6U : 7U));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view first = take_line(text);
    const std::string_view method = first.substr(0, first.find(' '));
    const int minor = first.ends_with('1') ? 1 : 0;
    std::vector<Field> fields;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos) fields.push_back({line.substr(0, colon), line.substr(colon + 1)});
    }
    const UpgradeFields seen = upgrade_fields(method, minor, fields);
    const auto judged = check_upgrade(seen);
    if (judged) {
        check_accepted(seen, *judged);
        return 0;
    }
    const auto& refused = judged.error();
    require(refused.status == 400 || refused.status == 405 || refused.status == 426 || refused.status == 505);
    std::string answer;
    write_refusal(answer, refused);
    const std::size_t end = answer.find("\r\n\r\n");
    require(answer.substr(end + 4) == std::string(refused.reason) + "\n");
    lines_of(std::string_view(answer).substr(0, end + 4));
    return 0;
}
