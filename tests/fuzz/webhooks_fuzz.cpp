// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any text as a webhook's URL, header and client event. What is shown of a URL holds no user, password or query; a header is
// one line; the body of a POST is JSON in which every text is found as it was. Any bytes as an address: IPv4 is judged the
// same when IPv6 carries it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "property.h"
#include "protocol/json.h"
#include "webhooks/address_rule.h"
#include "webhooks/payload.h"
#include "webhooks/request_header.h"
#include "webhooks/url.h"

using namespace spillway;
using namespace spillway::webhooks;

namespace {

using spillway::fuzz::require;

void check_url_text(std::string_view url) {
    const std::string shown = shown_url(url);
    require(shown.find_first_of("\r\n") == std::string::npos);
    if (!check_url(url)) return;
    require(shown.find_first_of("?#") == std::string::npos);
    const std::size_t begin = shown.find("//") + 2;
    require(shown.substr(begin, shown.find('/', begin) - begin).find('@') == std::string::npos);
}

void check_header(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return;
    const auto line = request_header(text.substr(0, colon), text.substr(colon + 1));
    if (line) require(line->find_first_of("\r\n") == std::string::npos && line->find(": ") == colon);
}

void check_body(std::string_view text) {
    static protocol::JsonArena arena;
    static protocol::JsonArena inner;
    // A client event's data comes without white space around it (JsonText).
    const bool is_bare = !text.empty() && text.front() > ' ' && text.back() > ' ';
    const auto data = inner.parse(is_bare ? text : "");
    Notice occupied;
    occupied.channel = "x";
    Notice event;
    event.what = WebhookEvent::client_event;
    event.channel = "private-x";
    event.event = "client-e";
    event.data_json = data ? text : "1";
    event.socket_id = "1.2";
    event.user_id = "u\"\\";
    std::string body;
    begin_payload(body, 1);
    append_event(body, occupied);
    append_event(body, event);
    end_payload(body);
    const auto read = arena.parse(body);
    require(read.has_value() && read->member("events").size() == 2);
    protocol::JsonElements elements(read->member("events"));
    static_cast<void>(elements.next());
    const protocol::JsonValue told = elements.next();
    require(told.member("user_id").text() == event.user_id && told.member("socket_id").text() == "1.2");
    if (!data) return;
    const bool is_string = data->kind() == protocol::JsonKind::string;
    require(told.member("data").text() == (is_string ? data->text() : text));
}

void check_address(std::span<const std::byte> bytes) {
    if (bytes.size() < 4) return;
    std::array<std::byte, 16> carried{};
    carried[10] = carried[11] = std::byte{0xFF};
    std::memcpy(carried.data() + 12, bytes.data(), 4);
    require(is_public_address(carried) == false || is_public_address(bytes.first(4)));
    require(!is_public_address(bytes.first(3)));
    if (bytes.size() >= 16) static_cast<void>(is_public_address(bytes.first(16)));
    if (bytes[0] == std::byte{127} || bytes[0] == std::byte{10}) require(!is_public_address(bytes.first(4)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_url_text(text);
    check_header(text);
    check_body(text);
    check_address(std::as_bytes(std::span(data, size)));
    return 0;
}
