// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a client's message and as a publish body. Beside not crashing: what is accepted keeps its promises. A
// client event's data is a piece of the input and JSON by itself, and what we encode from it decodes to the same
// again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "property.h"
#include "protocol/api.h"
#include "protocol/codec.h"
#include "protocol/json_escape.h"

using namespace spillway::protocol;

namespace {

using spillway::fuzz::require;

bool is_part_of(std::string_view part, std::string_view whole) {
    return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

/// The walk over the text finds what the library found.
void check_walk(std::string_view text) {
    static JsonArena arena;
    static JsonArena part_arena;
    const auto root = arena.parse(text);
    if (!root) return;
    if (root->kind() != JsonKind::array && root->kind() != JsonKind::object) return;
    JsonText values(text);
    JsonElements elements(*root);
    for (std::size_t i = 0; i < root->size(); ++i) {
        const std::string_view value = values.next();
        const auto part = part_arena.parse(value);
        require(part.has_value());
        if (root->kind() != JsonKind::array) continue;
        const JsonValue element = elements.next();
        require(element.kind() == part->kind() && element.size() == part->size() && element.text() == part->text());
    }
    require(values.next().empty());
}

void check_client_event(std::string_view text, const ClientEvent& event) {
    require(event.has_data == !event.data_json.empty());
    if (!event.has_data) return;
    require(is_part_of(event.data_json, text));
    static JsonArena arena;
    static Scratch scratch;
    require(arena.parse(event.data_json).has_value());
    std::string relayed;
    encode_client_event(relayed, event.event, event.channel, event.data_json, event.channel);
    const auto again = decode(relayed, scratch);
    require(again.has_value());
    const auto& same = std::get<ClientEvent>(*again);
    require(same.event == event.event && same.channel == event.channel && same.data_json == event.data_json);
}

void check_publication(std::string_view text) {
    static ApiScratch scratch;
    static JsonArena arena;
    const auto events = decode_publication(text, {}, scratch);
    if (!events) return require(!events.error().reason.empty());
    require(!events->empty());
    for (const PublishEvent& event : *events) {
        require(!event.channels.empty() && !event.name.empty());
        std::string wire;
        encode_channel_event(wire, event.name, event.channels.front(), event.data);
        const auto read = arena.parse(wire);
        require(read.has_value());
        require(read->member("event").text() == event.name && read->member("data").text() == event.data);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static Scratch scratch;
    const auto message = decode(text, scratch);
    if (message && std::holds_alternative<ClientEvent>(*message))
        check_client_event(text, std::get<ClientEvent>(*message));
    if (!message) require(!message.error().reason.empty());
    check_walk(text);
    check_publication(text);
    return 0;
}
