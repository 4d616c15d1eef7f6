// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/request_parser.h"

#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include <llhttp.h>

#include "base/assert.h"
#include "http/head_scanner.h"

namespace spillway::http {
namespace {

/// Buffers larger than these are not kept for the next request.
constexpr std::size_t kKeptHeadBytesMax = 32 * kKiB;
constexpr std::size_t kKeptBodyBytesMax = 64 * kKiB;
/// Chunk sizes, extensions and trailers around a body: five bytes per byte are honest (chunks of one byte), more than this
/// many per byte that the body may have are an attempt to keep us reading.
constexpr std::size_t kFramingBytesPerBodyByteMax = 8;

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// uri-host [ ":" port ] without asking what it names: nothing that could end the host or begin another part of a URI.
bool is_host(std::string_view text) { return text.find_first_of(" \t,/?#@\\\"<>") == std::string_view::npos; }

/// The part of an absolute-form target that is to be read as if it had come alone (RFC 9112 section 3.2.2).
std::string_view without_authority(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (target.size() <= scheme.size() || !equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        const std::string_view rest = target.substr(scheme.size());
        const auto end = rest.find_first_of("/?");
        if (end == 0) return {};
        return end == std::string_view::npos ? std::string_view("/") : rest.substr(end);
    }
    return {};
}

}  // namespace

struct RequestParser::State {
    enum class Phase : std::uint8_t { head, body, complete, failed };
    enum class BodyKind : std::uint8_t { none, sized, chunked };

    explicit State(const Limits& limits_given);

    Outcome feed(std::string_view in, std::size_t& consumed);
    Outcome feed_head(std::string_view in, std::size_t& consumed);
    Outcome feed_body(std::string_view in, std::size_t& consumed);
    Outcome end_head();
    bool to_llhttp(std::string_view bytes, std::size_t& consumed);
    void restart();

    bool fill_request();
    bool judge_target();
    bool judge_framing();
    bool judge_upgrade();
    bool judge_expectation();
    bool fail(int status_given, std::string_view reason_given);

    static const llhttp_settings_t& settings();
    static State& of(llhttp_t* parser) { return *static_cast<State*>(parser->data); }
    static int on_url(llhttp_t* parser, const char* at, std::size_t size);
    static int on_header_field(llhttp_t* parser, const char* at, std::size_t size);
    static int on_header_value(llhttp_t* parser, const char* at, std::size_t size);
    static int on_body(llhttp_t* parser, const char* at, std::size_t size);
    static int on_chunk_header(llhttp_t* parser);
    static int on_message_complete(llhttp_t* parser);

    /// Part of `head`, which may move while it grows.
    struct Range {
        std::size_t begin = 0;
        std::size_t size = 0;
        [[nodiscard]] std::string_view in(const std::string& text) const {
            return std::string_view(text).substr(begin, size);
        }
    };
    struct Field {
        Range name;
        Range value;
    };
    [[nodiscard]] Range range(const char* at, std::size_t size) const {
        SPILLWAY_ASSERT(at >= head.data() && at + size <= head.data() + head.size());
        return {static_cast<std::size_t>(at - head.data()), size};
    }

    Limits limits;
    llhttp_t llhttp;
    HeadScanner scanner;
    Phase phase = Phase::head;
    BodyKind body_kind = BodyKind::none;
    bool message_complete = false;  // llhttp's word
    std::size_t line_begin = 0;     // of the line under way, in head
    std::string head;
    std::string body;
    std::size_t framing_bytes = 0;  // of the body as it came, less what it carries
    Range target;
    std::vector<Field> fields;
    std::vector<Header> headers;  // the same as views, once the head is complete
    Request request;
    int status = 0;
    std::string_view reason;
};

RequestParser::State::State(const Limits& limits_given)
    : limits(limits_given), scanner(limits.header_bytes, limits.headers) {
    restart();
}

void RequestParser::State::restart() {
    llhttp_init(&llhttp, HTTP_REQUEST, &settings());
    llhttp.data = this;
    scanner = HeadScanner(limits.header_bytes, limits.headers);
    phase = Phase::head;
    body_kind = BodyKind::none;
    message_complete = false;
    line_begin = 0;
    head.clear();
    body.clear();
    if (head.capacity() > kKeptHeadBytesMax) std::string().swap(head);
    if (body.capacity() > kKeptBodyBytesMax) std::string().swap(body);
    framing_bytes = 0;
    target = {};
    fields.clear();
    headers.clear();
    request = {};
    status = 0;
    reason = {};
}

bool RequestParser::State::fail(int status_given, std::string_view reason_given) {
    phase = Phase::failed;
    status = status_given;
    reason = reason_given;
    return false;
}

Outcome RequestParser::State::feed(std::string_view in, std::size_t& consumed) {
    Outcome outcome = Outcome::need_more;
    consumed = 0;
    switch (phase) {
        case Phase::head: outcome = feed_head(in, consumed); break;
        case Phase::body: outcome = feed_body(in, consumed); break;
        case Phase::complete: return Outcome::complete;
        case Phase::failed: outcome = Outcome::error; break;
    }
    if (outcome == Outcome::error) consumed = in.size();
    return outcome;
}

/// Line by line: scanned, stored, then parsed where it is stored, so that llhttp's spans are whole and stay.
Outcome RequestParser::State::feed_head(std::string_view in, std::size_t& consumed) {
    while (consumed < in.size()) {
        std::size_t taken = 0;
        const auto verdict = scanner.scan(in.substr(consumed), taken);
        if (verdict == HeadScanner::Verdict::bad) {
            fail(scanner.status(), scanner.reason());
            return Outcome::error;
        }
        const bool of_request = verdict != HeadScanner::Verdict::skip && !scanner.before_request();
        if (of_request) head.append(in, consumed, taken);
        consumed += taken;
        if (verdict == HeadScanner::Verdict::line_end) {
            std::size_t parsed = 0;
            if (!to_llhttp(std::string_view(head).substr(line_begin), parsed)) return Outcome::error;
            line_begin = head.size();
        } else if (verdict == HeadScanner::Verdict::head_end) {
            const Outcome outcome = end_head();
            if (outcome != Outcome::need_more || consumed == in.size()) {
                const bool wants_continue = outcome == Outcome::need_more && request.expect_continue;
                return wants_continue ? Outcome::head_complete_expecting_continue : outcome;
            }
            std::size_t body_consumed = 0;
            const Outcome body_outcome = feed_body(in.substr(consumed), body_consumed);
            consumed += body_consumed;
            return body_outcome;
        }
    }
    return Outcome::need_more;
}

/// All lines are known: everything that could be read in two ways is refused before llhttp decides where the body is.
Outcome RequestParser::State::end_head() {
    if (!fill_request()) return Outcome::error;
    std::size_t parsed = 0;
    if (!to_llhttp(std::string_view(head).substr(line_begin), parsed)) return Outcome::error;
    SPILLWAY_ASSERT(parsed == head.size() - line_begin);
    SPILLWAY_ASSERT(message_complete == (body_kind == BodyKind::none));
    phase = message_complete ? Phase::complete : Phase::body;
    return message_complete ? Outcome::complete : Outcome::need_more;
}

/// In slices that can pass the bound on framing with their last byte only, so that the place does not depend on how the
/// input was cut. Honest bodies are one slice.
Outcome RequestParser::State::feed_body(std::string_view in, std::size_t& consumed) {
    const std::size_t framing_bytes_max = limits.header_bytes + kFramingBytesPerBodyByteMax * limits.body_bytes;
    while (consumed < in.size() && !message_complete) {
        const std::size_t body_before = body.size();
        std::size_t taken = 0;
        if (!to_llhttp(in.substr(consumed, framing_bytes_max - framing_bytes + 1), taken)) return Outcome::error;
        consumed += taken;
        framing_bytes += taken - (body.size() - body_before);
        if (framing_bytes > framing_bytes_max) {
            fail(400, "chunks carry less than they cost");
            return Outcome::error;
        }
    }
    if (!message_complete) return Outcome::need_more;
    phase = Phase::complete;
    request.body = body;
    return Outcome::complete;
}

/// Runs llhttp over the bytes; stops behind the message.
bool RequestParser::State::to_llhttp(std::string_view bytes, std::size_t& consumed) {
    consumed = bytes.size();
    const llhttp_errno_t error = llhttp_execute(&llhttp, bytes.data(), bytes.size());
    if (phase == Phase::failed) return false;  // a callback has told why
    switch (error) {
        case HPE_OK: return true;
        case HPE_PAUSED:
        case HPE_PAUSED_UPGRADE:
            consumed = static_cast<std::size_t>(llhttp_get_error_pos(&llhttp) - bytes.data());
            return true;
        case HPE_INVALID_METHOD: return fail(501, "unknown method");
        case HPE_INVALID_VERSION: return fail(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        case HPE_INVALID_URL: return fail(400, "malformed request target");
        case HPE_INVALID_CHUNK_SIZE: return fail(400, "malformed chunk");
        case HPE_UNEXPECTED_CONTENT_LENGTH:
        case HPE_INVALID_CONTENT_LENGTH: return fail(400, "malformed or repeated Content-Length");
        case HPE_INVALID_TRANSFER_ENCODING: return fail(400, "malformed Transfer-Encoding");
        default: return fail(400, phase == Phase::body ? "malformed body" : "malformed request head");
    }
}

bool RequestParser::State::fill_request() {
    for (const Field& field : fields) headers.push_back({field.name.in(head), trim(field.value.in(head))});
    request.headers = headers;
    request.target = target.in(head);
    request.method = std::string_view(head).substr(0, target.begin - 1);
    request.minor_version = llhttp_get_http_minor(&llhttp);

    bool close = false;
    bool keep_alive = request.minor_version == 1;
    for (const Header& field : headers) {
        if (!equals_ignoring_case(field.name, "connection")) continue;
        close = close || list_contains(field.value, "close");
        keep_alive = keep_alive || list_contains(field.value, "keep-alive");
    }
    request.keep_alive = keep_alive && !close;
    return judge_target() && judge_framing() && judge_upgrade() && judge_expectation();
}

bool RequestParser::State::judge_target() {
    if (request.method == "CONNECT") return fail(501, "CONNECT is not offered");
    const std::size_t hosts = request.header_count("host");
    if (hosts > 1) return fail(400, "repeated Host");
    if (hosts == 0 && request.minor_version == 1) return fail(400, "missing Host");
    if (hosts == 1 && !is_host(request.header("host").value_or(""))) return fail(400, "malformed Host");

    std::string_view origin = request.target;
    if (origin == "*") {
        if (request.method != "OPTIONS") return fail(400, "malformed request target");
    } else if (origin.front() != '/') {
        origin = without_authority(request.target);
        if (origin.empty()) return fail(400, "malformed request target");
    }
    const auto question = origin.find('?');
    request.path = origin.substr(0, question);
    if (request.path.empty()) request.path = "/";
    if (question != std::string_view::npos) request.query = origin.substr(question + 1);
    return true;
}

/// Where the body ends must not be open to a second opinion (RFC 9112 section 6.3).
bool RequestParser::State::judge_framing() {
    const std::size_t lengths = request.header_count("content-length");
    const std::size_t encodings = request.header_count("transfer-encoding");
    if (lengths > 1) return fail(400, "malformed or repeated Content-Length");
    if (lengths == 1 && encodings > 0) return fail(400, "both Content-Length and Transfer-Encoding");
    if (encodings > 0) {
        if (encodings > 1 || request.minor_version == 0) return fail(400, "malformed Transfer-Encoding");
        const std::string_view encoding = request.header("transfer-encoding").value_or("");
        if (encoding.empty()) return fail(400, "malformed Transfer-Encoding");
        if (!equals_ignoring_case(encoding, "chunked")) return fail(501, "the only Transfer-Encoding taken is chunked");
        body_kind = BodyKind::chunked;
        return true;
    }
    if (lengths == 0) return true;
    const std::string_view length = request.header("content-length").value_or("");
    if (!is_number(length)) return fail(400, "malformed or repeated Content-Length");
    std::uint64_t number = 0;
    const bool fits = std::from_chars(length.data(), length.data() + length.size(), number).ec == std::errc{};
    if (!fits || number > limits.body_bytes) return fail(413, "the body is too large");
    if (number > 0) body_kind = BodyKind::sized;
    return true;
}

bool RequestParser::State::judge_upgrade() {
    if (request.minor_version == 0) return true;  // RFC 9110 section 7.8: ignored in 1.0
    bool asked = false;
    bool websocket = false;
    for (const Header& field : headers) {
        if (equals_ignoring_case(field.name, "connection")) asked = asked || list_contains(field.value, "upgrade");
        if (equals_ignoring_case(field.name, "upgrade"))
            websocket = websocket || list_contains(field.value, "websocket");
    }
    request.upgrade = asked && websocket;
    if (request.upgrade && body_kind != BodyKind::none) return fail(400, "a WebSocket handshake has no body");
    return true;
}

bool RequestParser::State::judge_expectation() {
    if (request.minor_version == 0) return true;  // RFC 9110 section 10.1.1: ignored in 1.0
    for (const Header& field : headers) {
        if (!equals_ignoring_case(field.name, "expect")) continue;
        if (!equals_ignoring_case(field.value, "100-continue"))
            return fail(417, "the only expectation met is 100-continue");
        request.expect_continue = body_kind != BodyKind::none;
    }
    return true;
}

const llhttp_settings_t& RequestParser::State::settings() {
    static const llhttp_settings_t kSettings = [] {
        llhttp_settings_t settings;
        llhttp_settings_init(&settings);
        settings.on_url = on_url;
        settings.on_header_field = on_header_field;
        settings.on_header_value = on_header_value;
        settings.on_body = on_body;
        settings.on_chunk_header = on_chunk_header;
        settings.on_message_complete = on_message_complete;
        return settings;
    }();
    return kSettings;
}

int RequestParser::State::on_url(llhttp_t* parser, const char* at, std::size_t size) {
    State& state = of(parser);
    state.target = state.range(at, size);
    return 0;
}

int RequestParser::State::on_header_field(llhttp_t* parser, const char* at, std::size_t size) {
    State& state = of(parser);
    if (state.phase == Phase::head) state.fields.push_back({state.range(at, size), {}});  // else a trailer: not used
    return 0;
}

int RequestParser::State::on_header_value(llhttp_t* parser, const char* at, std::size_t size) {
    State& state = of(parser);
    if (state.phase != Phase::head) return 0;
    Range& value = state.fields.back().value;
    const Range piece = state.range(at, size);
    value = value.size == 0 ? piece : Range{value.begin, piece.begin + piece.size - value.begin};
    return 0;
}

int RequestParser::State::on_chunk_header(llhttp_t* parser) {
    State& state = of(parser);
    if (parser->content_length <= state.limits.body_bytes - state.body.size()) return 0;
    state.fail(413, "the body is too large");
    return -1;
}

int RequestParser::State::on_body(llhttp_t* parser, const char* at, std::size_t size) {
    State& state = of(parser);
    SPILLWAY_ASSERT(size <= state.limits.body_bytes - state.body.size());  // announced lengths have been checked
    state.body.append(at, size);
    return 0;
}

int RequestParser::State::on_message_complete(llhttp_t* parser) {
    of(parser).message_complete = true;
    return HPE_PAUSED;
}

RequestParser::RequestParser(const Limits& limits) : state_(std::make_unique<State>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

Outcome RequestParser::feed(std::span<const std::byte> in, std::size_t& consumed) {
    return state_->feed({reinterpret_cast<const char*>(in.data()), in.size()}, consumed);
}

const Request& RequestParser::request() const noexcept { return state_->request; }
bool RequestParser::head_complete() const noexcept {
    return state_->phase == State::Phase::body || state_->phase == State::Phase::complete;
}
bool RequestParser::idle() const noexcept { return state_->phase == State::Phase::head && state_->scanner.untouched(); }

void RequestParser::next() { state_->restart(); }
void RequestParser::reset() { state_->restart(); }
void RequestParser::reset(const Limits& limits) {
    state_->limits = limits;
    state_->restart();
}

int RequestParser::status() const noexcept { return state_->status; }
std::string_view RequestParser::reason() const noexcept { return state_->reason; }

std::size_t RequestParser::bytes_held() const noexcept {
    return sizeof(State) + state_->head.capacity() + state_->body.capacity() +
           state_->fields.capacity() * sizeof(State::Field) + state_->headers.capacity() * sizeof(Header);
}

}  // namespace spillway::http
