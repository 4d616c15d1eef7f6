// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/response_parser.h"

#include <string>
#include <vector>

#include <llhttp.h>

namespace spillway::http {

struct ResponseParser::State {
    explicit State(const Limits& limits_given) : limits(limits_given) {
        llhttp_init(&llhttp, HTTP_RESPONSE, &settings());
        llhttp.data = this;
    }

    struct Field {
        std::string name;
        std::string value;
    };

    static State& of(llhttp_t* parser) { return *static_cast<State*>(parser->data); }
    static const llhttp_settings_t& settings();

    /// 0, or -1 when the head becomes too long.
    int append_to_head(std::string& text, const char* at, std::size_t size) {
        head_bytes += size;
        if (head_bytes > limits.header_bytes || fields.size() > limits.headers) return -1;
        text.append(at, size);
        return 0;
    }

    static int on_field(llhttp_t* parser, const char* at, std::size_t size) {
        State& state = of(parser);
        if (state.fields.empty() || state.value_begun) state.fields.emplace_back();
        state.value_begun = false;
        return state.append_to_head(state.fields.back().name, at, size);
    }
    static int on_value(llhttp_t* parser, const char* at, std::size_t size) {
        State& state = of(parser);
        state.value_begun = true;
        if (state.fields.empty()) return -1;
        return state.append_to_head(state.fields.back().value, at, size);
    }
    /// An empty value is not told by on_value.
    static int on_value_complete(llhttp_t* parser) {
        of(parser).value_begun = true;
        return 0;
    }
    static int on_body(llhttp_t* parser, const char* at, std::size_t size) {
        State& state = of(parser);
        if (size > state.limits.body_bytes - state.body.size()) return -1;
        state.body.append(at, size);
        return 0;
    }
    static int on_message_complete(llhttp_t* parser) {
        of(parser).complete = true;
        return parser->upgrade != 0 ? 0 : static_cast<int>(HPE_PAUSED);
    }

    Limits limits;
    llhttp_t llhttp;
    std::size_t head_bytes = 0;
    bool value_begun = false;
    bool complete = false;
    bool failed = false;
    std::vector<Field> fields;
    std::string body;
};

const llhttp_settings_t& ResponseParser::State::settings() {
    static const llhttp_settings_t table = [] {
        llhttp_settings_t callbacks;
        llhttp_settings_init(&callbacks);
        callbacks.on_header_field = on_field;
        callbacks.on_header_value = on_value;
        callbacks.on_header_value_complete = on_value_complete;
        callbacks.on_body = on_body;
        callbacks.on_message_complete = on_message_complete;
        return callbacks;
    }();
    return table;
}

ResponseParser::ResponseParser(const Limits& limits) : state_(std::make_unique<State>(limits)) {}
ResponseParser::~ResponseParser() = default;

Outcome ResponseParser::feed(std::string_view in, std::size_t& consumed) {
    consumed = 0;
    if (state_->failed) return Outcome::error;
    if (state_->complete) return Outcome::complete;
    const llhttp_errno_t error = llhttp_execute(&state_->llhttp, in.data(), in.size());
    if (state_->complete) {
        const char* end = error == HPE_OK ? nullptr : llhttp_get_error_pos(&state_->llhttp);
        consumed = end == nullptr ? in.size() : static_cast<std::size_t>(end - in.data());
        return Outcome::complete;
    }
    consumed = in.size();
    state_->failed = error != HPE_OK;
    return state_->failed ? Outcome::error : Outcome::need_more;
}

Outcome ResponseParser::finish() {
    if (!state_->failed && !state_->complete) {
        const llhttp_errno_t error = llhttp_finish(&state_->llhttp);
        state_->failed = !state_->complete || (error != HPE_OK && error != HPE_PAUSED);
    }
    return state_->failed ? Outcome::error : Outcome::complete;
}

int ResponseParser::status() const noexcept { return state_->llhttp.status_code; }

std::optional<std::string_view> ResponseParser::header(std::string_view name) const noexcept {
    for (const State::Field& field : state_->fields) {
        if (equals_ignoring_case(field.name, name)) return field.value;
    }
    return std::nullopt;
}

std::string_view ResponseParser::body() const noexcept { return state_->body; }

}  // namespace spillway::http
