// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/ops.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/format.h"
#include "base/log.h"
#include "io/thread_times.h"
#include "protocol/json_escape.h"

namespace spillway::server {
namespace {

using base::append;
using std::chrono::milliseconds;

/// A core that has not turned for so long is stuck: idle ones turn twice a second.
constexpr std::uint64_t kStuckMs = 5000;

std::uint64_t sum(const std::vector<const Stats*>& cores, const std::function<std::uint64_t(const Stats&)>& value) {
    std::uint64_t total = 0;
    for (const Stats* s : cores) total += value(*s);
    return total;
}

std::int64_t sum_gauge(const std::vector<const Stats*>& cores, base::Gauge Stats::* gauge) {
    std::int64_t total = 0;
    for (const Stats* s : cores) total += (s->*gauge).value();
    return total;
}

std::uint64_t sum_counter(const std::vector<const Stats*>& cores, base::Counter Stats::* counter) {
    return sum(cores, [counter](const Stats& s) { return (s.*counter).value(); });
}

constexpr std::size_t kFirstWebSocket = static_cast<std::size_t>(ClientKind::pusher);

std::int64_t open_connections(const std::vector<const Stats*>& cores, std::size_t kind) {
    std::int64_t n = 0;
    for (const Stats* s : cores) n += s->clients[kind].value();
    return n;
}

std::int64_t memory_of(const std::vector<const Stats*>& cores, std::size_t kind) {
    std::int64_t total = 0;
    for (const Stats* s : cores) total += s->memory[kind].value();
    return total;
}

struct SimpleMetric {
    std::string_view name;
    std::string_view help;
    base::Counter Stats::* counter;
};
constexpr auto kCounters = std::to_array<SimpleMetric>({
    {"connections_total", "Connections accepted.", &Stats::connections},
    {"accept_pauses_total", "Times accepting was held up for want of descriptors.", &Stats::accept_pauses},
    {"messages_published_total", "Publications given their place in a channel's order.", &Stats::published},
    {"deliveries_total", "Messages that went whole into the socket of a subscriber.", &Stats::deliveries},
    {"excluded_total",
     "Deliveries that were not for the subscriber: excluded by the publisher, or a protocol event to a feed.",
     &Stats::excluded},
    {"bytes_received_total", "Bytes read from clients.", &Stats::bytes_received},
    {"bytes_sent_total", "Bytes taken by clients' sockets.", &Stats::bytes_sent},
    {"pings_total", "Pings sent to silent clients.", &Stats::pings},
    {"swept_total", "Clients found without a timer.", &Stats::swept},
    {"loop_stalls_total", "Times a loop did not turn for a second or more.", &Stats::stalls},
    {"client_errors_total", "pusher:error events on connections that stayed open.", &Stats::client_errors},
    {"publish_refused_total", "Publications refused for want of room between cores.", &Stats::publish_refused},
    {"cache_evicted_total", "Last events of cache channels that gave way before their time.", &Stats::cache_evicted},
    {"pauses_total", "Times a client's input waited for room between cores.", &Stats::pauses},
    {"slices_total", "Slices of fan-out work.", &Stats::slices},
    {"loop_turns_total", "Turns of the loops.", &Stats::turns},
    {"uring_enters_total", "io_uring_enter calls.", &Stats::ring_enters},
    {"uring_sqes_total", "Operations submitted.", &Stats::ring_sqes},
    {"uring_cqes_total", "Completions taken.", &Stats::ring_cqes},
    {"uring_overflows_total", "Times the completion queue had overflowed.", &Stats::ring_overflows},
    {"uring_no_buffers_total", "Receives that found no buffer.", &Stats::ring_no_buffers},
    {"uring_send_again_total", "Sends that found a full socket.", &Stats::ring_send_again},
    {"uring_send_short_total", "Sends of which a part was taken.", &Stats::ring_send_short},
    {"uring_wakes_total", "Wake-ups from other cores.", &Stats::ring_wakes},
    {"uring_zc_sends_total", "Sends of large messages without a copy.", &Stats::ring_zc_sends},
    {"uring_zc_notifications_total", "Of them, those whose memory the kernel has given back.",
     &Stats::ring_zc_notifications},
    {"uring_zc_copied_total", "Of them, those that the kernel copied after all.", &Stats::ring_zc_copied},
});

struct SimpleGauge {
    std::string_view name;
    std::string_view help;
    base::Gauge Stats::* gauge;
};
constexpr auto kGauges = std::to_array<SimpleGauge>({
    {"subscriptions", "Subscriptions of clients to channels.", &Stats::subscriptions},
    {"stale_clients", "Clients whose ping has been unanswered for half the pong timeout.", &Stats::stale_clients},
    {"channels", "Channels with at least one subscriber.", &Stats::channels},
    {"presence_members", "Users in presence channels, each counted once per channel.", &Stats::presence_members},
    {"cached_events", "Last events kept of cache channels.", &Stats::cached_events},
    {"messages_held", "Messages alive in memory, each once however many clients wait for it.", &Stats::messages_held},
    {"messages_held_bytes", "Bytes that keeping them costs.", &Stats::message_bytes},
    {"queued_messages", "Messages waiting in clients' queues.", &Stats::queued_messages},
    {"queued_bytes", "Bytes of messages waiting in clients' queues.", &Stats::queued_bytes},
    {"uring_zc_held", "Frames that the kernel may still read.", &Stats::ring_zc_held},
    {"uring_zc_routes_off",
     "Kinds of peers (this host, elsewhere) to whom large messages are copied, summed over the cores.",
     &Stats::ring_zc_routes_off},
    {"mesh_depth", "Envelopes between cores, as the senders saw them.", &Stats::mesh_depth},
});

void head(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
    append(out, "# HELP spillway_", name, " ", help, "\n# TYPE spillway_", name, " ", type, "\n");
}

void append_seconds(std::string& out, base::Duration d) {
    base::append_fixed(out, static_cast<double>(d.count()) / 1e9, 9);
}

/// The bounds of a histogram's Prometheus buckets. All are edges of its own buckets, so the counts are exact.
enum class Bounds : std::uint8_t {
    coarse,  // 1 us to 69 s, by fours: for what every core has
    fine,    // 8 us to 34 s: each power of two of a nanosecond, and half-way to the next
};

std::vector<base::Duration> edges_of(Bounds bounds) {
    std::vector<base::Duration> edges;
    const bool fine = bounds == Bounds::fine;
    for (unsigned bits = fine ? 13 : 10; bits <= (fine ? 35 : 36); bits += fine ? 1 : 2) {
        edges.emplace_back(std::int64_t{1} << bits);
        if (fine && bits < 35) edges.emplace_back(std::int64_t{3} << (bits - 1));
    }
    return edges;
}

/// Of all cores or of one, whose number is the label.
void append_edges(std::string& out, std::string_view name, std::string_view label, const base::HistogramSum& h,
                  Bounds bounds) {
    for (const base::Duration edge : edges_of(bounds)) {
        append(out, "spillway_", name, "_bucket{", label, label.empty() ? "" : ",", "le=\"");
        append_seconds(out, edge);
        append(out, "\"} ", h.count_below(edge), "\n");
    }
    const std::string labels = label.empty() ? std::string() : base::concat('{', label, '}');
    append(out, "spillway_", name, "_bucket{", label, label.empty() ? "" : ",", "le=\"+Inf\"} ", h.count(),
           "\nspillway_", name, "_sum", labels, ' ');
    append_seconds(out, h.sum());
    append(out, "\nspillway_", name, "_count", labels, ' ', h.count(), "\n");
}

void histogram(std::string& out, std::string_view name, std::string_view help, const base::HistogramSum& h) {
    head(out, name, help, "histogram");
    append_edges(out, name, {}, h, Bounds::fine);
}

void queue_histogram(std::string& out, const std::vector<const Stats*>& cores) {
    head(out, "queue_utilization_ratio", "Share of --queue-bytes that waits for a client, by looks at clients in turn.",
         "histogram");
    std::uint64_t below = 0;
    for (std::size_t i = 0; i <= kQueueEdges.size(); ++i) {
        below += sum(cores, [i](const Stats& s) { return s.queue_looks[i].value(); });
        append(out, "spillway_queue_utilization_ratio_bucket{le=\"");
        if (i < kQueueEdges.size()) {
            base::append_fixed(out, kQueueEdges[i] / 100.0, 2);
        } else {
            out += "+Inf";
        }
        append(out, "\"} ", below, "\n");
    }
    append(out, "spillway_queue_utilization_ratio_sum ");
    const auto percent = sum(cores, [](const Stats& s) { return s.queue_percent.value(); });
    base::append_fixed(out, static_cast<double>(percent) / 100, 2);
    append(out, "\nspillway_queue_utilization_ratio_count ", below, "\n");
}

std::int64_t open_clients(const Stats& stats) {
    std::int64_t n = 0;
    for (std::size_t k = kFirstWebSocket; k < kClientKinds; ++k)
        if (counts_as_client(static_cast<ClientKind>(k))) n += stats.clients[k].value();
    return n;
}

/// What shows whether the cores share the work.
void core_families(std::string& out, const std::vector<const Stats*>& cores) {
    const auto each = [&](std::string_view name, std::string_view help, std::string_view type, auto&& value) {
        head(out, name, help, type);
        for (std::size_t i = 0; i < cores.size(); ++i) {
            append(out, "spillway_", name, "{core=\"", i, "\"} ");
            value(*cores[i]);
            out += '\n';
        }
    };
    each("core_clients", "Open WebSocket clients of a core.", "gauge",
         [&](const Stats& s) { append(out, open_clients(s)); });
    each("core_deliveries_total", "Messages that a core put whole into a subscriber's socket.", "counter",
         [&](const Stats& s) { append(out, s.deliveries.value()); });
    each("core_queued_bytes", "Bytes of messages waiting in the queues of a core's clients.", "gauge",
         [&](const Stats& s) { append(out, s.queued_bytes.value()); });
    each("core_mesh_depth", "Envelopes of a core that others have not taken.", "gauge",
         [&](const Stats& s) { append(out, s.mesh_depth.value()); });
    each("core_busy_seconds_total", "Time a core spent in its turns; it rests between them.", "counter",
         [&](const Stats& s) { append_seconds(out, base::HistogramSum().add(s.loop_lag).sum()); });
    each("core_allocations_total", "Times a core asked operator new for memory.", "counter",
         [&](const Stats& s) { append(out, s.allocations.value()); });
    each("core_allocated_bytes_total", "Bytes a core asked operator new for; what it gave back is not taken off.",
         "counter", [&](const Stats& s) { append(out, s.allocated_bytes.value()); });
    std::vector<io::ThreadTimes> times;
    times.reserve(cores.size());
    for (const Stats* s : cores) times.push_back(io::thread_times(s->thread.value()));
    std::size_t next = 0;
    each("core_cpu_seconds_total", "Time a core's thread had a CPU, as the kernel counts.", "counter",
         [&](const Stats&) { append_seconds(out, times[next++].ran); });
    next = 0;
    each("core_cpu_wait_seconds_total", "Time a core's thread could have run while its CPU ran something else.",
         "counter", [&](const Stats&) { append_seconds(out, times[next++].waited); });
    next = 0;
    each("core_preemptions_total", "Times a core's thread was taken from its CPU against its will.", "counter",
         [&](const Stats&) { append(out, times[next++].preemptions); });
    head(out, "loop_lag_seconds", "Length of a loop's turns.", "histogram");
    for (std::size_t i = 0; i < cores.size(); ++i)
        append_edges(out, "loop_lag_seconds", base::concat("core=\"", i, '"'),
                     base::HistogramSum().add(cores[i]->loop_lag), Bounds::coarse);
}

void log_families(std::string& out) {
    const base::log::LostLines lost = base::log::lost();
    head(out, "log_lines_lost_total", "Lines of the log that nobody will see.", "counter");
    append(out, "spillway_log_lines_lost_total{reason=\"overrun\"} ", lost.overrun,
           "\nspillway_log_lines_lost_total{reason=\"unwritten\"} ", lost.unwritten, "\n");
}

base::HistogramSum merged(const std::vector<const Stats*>& cores, base::Histogram Stats::* histogram) {
    base::HistogramSum result;
    for (const Stats* s : cores) result.add(s->*histogram);
    return result;
}

std::string label(int code, int other) { return code == other ? "other" : std::to_string(code); }

void families(std::string& out, const std::vector<const Stats*>& cores) {
    head(out, "dropped_total", "Deliveries that did not happen, each counted once.", "counter");
    for (std::size_t r = 0; r < kDropReasons; ++r)
        for (std::size_t p = 0; p < kPriorities; ++p)
            append(out, "spillway_dropped_total{reason=\"", to_string(static_cast<DropReason>(r)), "\",priority=\"",
                   to_string(static_cast<Priority>(p)), "\"} ",
                   sum(cores, [&](const Stats& s) { return s.dropped[r][p].value(); }), "\n");

    head(out, "dropped_by_channel_kind_total", "The same deliveries by the kind of their channel.", "counter");
    for (std::size_t k = 0; k < kChannelKinds; ++k)
        append(out, "spillway_dropped_by_channel_kind_total{kind=\"", to_string(static_cast<ChannelKind>(k)), "\"} ",
               sum(cores, [k](const Stats& s) { return s.dropped_by_kind[k].value(); }), "\n");

    head(out, "client_closes_total", "Ends of connections, by close code and cause.", "counter");
    for (std::size_t c = 0; c < kCloseCodes.size(); ++c)
        for (std::size_t r = 0; r < kCloseReasons; ++r) {
            const std::uint64_t n = sum(cores, [&](const Stats& s) { return s.closes[c][r].value(); });
            if (n != 0)
                append(out, "spillway_client_closes_total{code=\"", label(kCloseCodes[c], kOtherCloseCode),
                       "\",reason=\"", to_string(static_cast<CloseReason>(r)), "\"} ", n, "\n");
        }

    head(out, "refused_total", "Connections and upgrades refused.", "counter");
    for (std::size_t r = 0; r < kRefusals; ++r)
        append(out, "spillway_refused_total{reason=\"", to_string(static_cast<Refusal>(r)), "\"} ",
               sum(cores, [&](const Stats& s) { return s.refused[r].value(); }), "\n");

    head(out, "http_requests_total", "HTTP requests answered.", "counter");
    for (std::size_t e = 0; e < kEndpoints; ++e)
        for (std::size_t i = 0; i < kStatuses.size(); ++i) {
            const std::uint64_t n = sum(cores, [&](const Stats& s) { return s.http[e][i].value(); });
            if (n != 0)
                append(out, "spillway_http_requests_total{endpoint=\"", to_string(static_cast<Endpoint>(e)),
                       "\",status=\"", label(kStatuses[i], 0), "\"} ", n, "\n");
        }
}

void webhook_families(std::string& out, const webhooks::Tally& tally, std::uint64_t overruns) {
    head(out, "webhooks_total", "Events for webhooks, by what became of them.", "counter");
    for (std::size_t i = 0; i < webhooks::kFates; ++i)
        append(out, "spillway_webhooks_total{result=\"", to_string(static_cast<webhooks::Fate>(i)), "\"} ",
               tally.events[i].value(), "\n");
    append(out, "spillway_webhooks_total{result=\"overrun\"} ", overruns, "\n");
    head(out, "webhook_posts_total", "POSTs of webhooks, by their end.", "counter");
    for (std::size_t i = 0; i < webhooks::kAnswers; ++i)
        append(out, "spillway_webhook_posts_total{result=\"", to_string(static_cast<webhooks::Answer>(i)), "\"} ",
               tally.posts[i].value(), "\n");
    head(out, "webhooks_queued", "Events waiting to be delivered, counted for each webhook.", "gauge");
    append(out, "spillway_webhooks_queued ", tally.queued_events.value(), "\n");
    head(out, "webhooks_queued_bytes", "Bytes of them.", "gauge");
    append(out, "spillway_webhooks_queued_bytes ", tally.queued_bytes.value(), "\n");
    head(out, "webhooks_held", "Departures waiting for a return.", "gauge");
    append(out, "spillway_webhooks_held ", tally.held.value(), "\n");
}

void webhooks_json(std::string& out, const webhooks::Tally& tally, std::uint64_t overruns) {
    append(out, R"(,"webhooks":{"overrun":)", overruns);
    for (std::size_t i = 0; i < webhooks::kFates; ++i)
        append(out, ",\"", to_string(static_cast<webhooks::Fate>(i)), "\":", tally.events[i].value());
    append(out, R"(,"queued":)", tally.queued_events.value(), R"(,"queued_bytes":)", tally.queued_bytes.value(),
           R"(,"held":)", tally.held.value(), R"(},"webhook_posts":{)");
    for (std::size_t i = 0; i < webhooks::kAnswers; ++i)
        append(out, i == 0 ? "\"" : ",\"", to_string(static_cast<webhooks::Answer>(i)), "\":", tally.posts[i].value());
    out += '}';
}

/// `"name":{"outer":{"inner":n}}` of what is not 0.
template <class Outer, class Inner, class Count>
void nested_json(std::string& out, std::string_view name, std::size_t outers, std::size_t inners, Outer outer,
                 Inner inner, Count count) {
    append(out, ",\"", name, "\":{");
    bool first = true;
    for (std::size_t o = 0; o < outers; ++o) {
        bool named = false;
        for (std::size_t i = 0; i < inners; ++i) {
            const std::uint64_t n = count(o, i);
            if (n == 0) continue;
            if (!named) append(out, first ? "\"" : ",\"", outer(o), "\":{");
            append(out, named ? ",\"" : "\"", inner(i), "\":", n);
            named = true;
            first = false;
        }
        if (named) out += '}';
    }
    out += '}';
}

/// How connections and requests ended.
void ends_json(std::string& out, const std::vector<const Stats*>& cores) {
    nested_json(
        out, "client_closes", kCloseCodes.size(), kCloseReasons,
        [](std::size_t c) { return label(kCloseCodes[c], kOtherCloseCode); },
        [](std::size_t r) { return to_string(static_cast<CloseReason>(r)); },
        [&](std::size_t c, std::size_t r) {
            return sum(cores, [&](const Stats& s) { return s.closes[c][r].value(); });
        });
    out += R"(,"refused":{)";
    for (std::size_t r = 0; r < kRefusals; ++r)
        append(out, r == 0 ? "\"" : ",\"", to_string(static_cast<Refusal>(r)),
               "\":", sum(cores, [r](const Stats& s) { return s.refused[r].value(); }));
    out += '}';
    nested_json(
        out, "http_requests", kEndpoints, kStatuses.size(),
        [](std::size_t e) { return to_string(static_cast<Endpoint>(e)); },
        [](std::size_t i) { return label(kStatuses[i], 0); },
        [&](std::size_t e, std::size_t i) { return sum(cores, [&](const Stats& s) { return s.http[e][i].value(); }); });
}

/// What shows whether the cores share the work, one object for each.
void append_cores(std::string& out, const std::vector<const Stats*>& cores) {
    for (std::size_t i = 0; i < cores.size(); ++i) {
        const Stats& s = *cores[i];
        append(out, i == 0 ? "{" : ",{", R"("clients":)", open_clients(s), R"(,"deliveries":)", s.deliveries.value(),
               R"(,"queued_bytes":)", s.queued_bytes.value(), R"(,"mesh_depth":)", s.mesh_depth.value(),
               R"(,"allocations":)", s.allocations.value(), R"(,"busy_seconds":)");
        append_seconds(out, base::HistogramSum().add(s.loop_lag).sum());
        out += R"(,"cpu_wait_seconds":)";
        append_seconds(out, io::thread_times(s.thread.value()).waited);
        out += '}';
    }
}

using Point = std::pair<std::string_view, base::Duration>;

void append_points(std::string& out, std::initializer_list<Point> points) {
    for (const auto& [name, value] : points) {
        append(out, ",\"", name, "\":");
        append_seconds(out, value);
    }
}

/// Of a histogram since the start.
void append_spread(std::string& out, std::string_view name, const base::HistogramSum& h) {
    append(out, ",\"", name, "\":{\"count\":", h.count());
    append_points(out, {{"min", h.min()},
                        {"mean", h.mean()},
                        {"p50", h.quantile(0.50)},
                        {"p95", h.quantile(0.95)},
                        {"p99", h.quantile(0.99)},
                        {"p999", h.quantile(0.999)},
                        {"max", h.max()}});
    out += '}';
}

/// Figures that are worked out of others.
void append_promised(std::string& out, const std::vector<const Stats*>& cores, const Rates& rates) {
    append(out, R"(,"last_seconds":{"seconds":)", kHealthWindow, R"(,"broadcasts":)", rates.broadcasts);
    append_points(out, {{"p50", rates.p50}, {"p95", rates.p95}, {"p99", rates.p99}});
    const std::uint64_t enters = sum_counter(cores, &Stats::ring_enters);
    const std::uint64_t sqes = sum_counter(cores, &Stats::ring_sqes);
    out += R"(},"uring_sqes_per_enter":)";
    base::append_fixed(out, enters == 0 ? 0 : static_cast<double>(sqes) / static_cast<double>(enters), 2);
    out += R"(,"per_second":{"published":)";
    base::append_fixed(out, rates.published, 1);
    out += R"(,"deliveries":)";
    base::append_fixed(out, rates.delivered, 1);
    out += R"(,"dropped":)";
    base::append_fixed(out, rates.dropped, 1);
    std::int64_t open = 0;
    for (const Stats* s : cores) open += open_clients(*s);
    const std::int64_t stale = std::min(sum_gauge(cores, &Stats::stale_clients), open);
    const std::int64_t held = sum_gauge(cores, &Stats::messages_held);
    append(out, R"(},"connection_health":{"active":)", open - stale, R"(,"stale":)", stale, R"(,"total":)", open,
           R"(},"memory_per_message_bytes":)", held <= 0 ? 0 : sum_gauge(cores, &Stats::message_bytes) / held);
}

}  // namespace

Ops::Answer Ops::health(base::Instant now) const {
    const auto now_ms =
        static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count());
    for (std::size_t i = 0; i < cores_.size(); ++i) {
        const std::uint64_t last = cores_[i]->last_turn_ms.value();
        if (now_ms > last + kStuckMs)
            return {false, base::concat("core ", i, " has not turned for ", now_ms - last, " ms")};
    }
    return {true, "ok"};
}

Ops::Answer Ops::readiness(base::Instant now, const HealthWatch& watch) const {
    if (draining_.load(std::memory_order_relaxed)) return {false, "draining"};
    if (watch.current().status == HealthStatus::critical) return {false, watch.current().reasons.front().text};
    return health(now);
}

std::string Ops::metrics_text(const HealthWatch& watch) const {
    std::string out;
    out.reserve(16 * 1024);
    head(out, "build_info", "The version that runs.", "gauge");
    append(out, "spillway_build_info{version=\"", version_, "\"} 1\n");
    head(out, "clients", "Open WebSocket connections by what they speak.", "gauge");
    for (std::size_t k = kFirstWebSocket; k < kClientKinds; ++k)
        append(out, "spillway_clients{kind=\"", to_string(static_cast<ClientKind>(k)), "\"} ",
               open_connections(cores_, k), "\n");
    head(out, "http_connections", "Open HTTP connections by port.", "gauge");
    append(out, "spillway_http_connections{port=\"main\"} ", open_connections(cores_, 0), "\n",
           "spillway_http_connections{port=\"metrics\"} ", open_connections(cores_, 1), "\n");
    for (const SimpleGauge& g : kGauges) {
        head(out, g.name, g.help, "gauge");
        append(out, "spillway_", g.name, " ", sum_gauge(cores_, g.gauge), "\n");
    }
    head(out, "health_status", "0 healthy, 1 warning, 2 critical.", "gauge");
    append(out, "spillway_health_status ", static_cast<int>(watch.current().status), "\n");
    head(out, "memory_bytes", "Memory by kind; resident is the whole process.", "gauge");
    for (std::size_t kind = 0; kind < kMemoryKinds; ++kind)
        append(out, "spillway_memory_bytes{kind=\"", to_string(static_cast<MemoryKind>(kind)), "\"} ",
               memory_of(cores_, kind), "\n");
    append(out, "spillway_memory_bytes{kind=\"resident\"} ", resident_(), "\n");
    head(out, "memory_limit_bytes", "What --memory-limit sets; 0 is no limit.", "gauge");
    append(out, "spillway_memory_limit_bytes ", config().memory_limit, "\n");
    head(out, "memory_stage", "What is withheld: 1 new clients, 2 and the largest backlogs, 3 and publications.",
         "gauge");
    append(out, "spillway_memory_stage ", static_cast<int>(quotas_.memory.stage.load(std::memory_order_relaxed)), "\n");
    for (const SimpleMetric& m : kCounters) {
        head(out, m.name, m.help, "counter");
        append(out, "spillway_", m.name, " ", sum_counter(cores_, m.counter), "\n");
    }
    head(out, "config_reloads_total", "Reloads asked for by SIGHUP, by what became of them.", "counter");
    append(out, "spillway_config_reloads_total{result=\"taken\"} ", reloads_taken_.load(std::memory_order_relaxed),
           "\nspillway_config_reloads_total{result=\"refused\"} ", reloads_refused_.load(std::memory_order_relaxed),
           "\n");
    families(out, cores_);
    if (webhooks_ != nullptr) webhook_families(out, *webhooks_, sum_counter(cores_, &Stats::webhook_overruns));
    histogram(out, "broadcast_seconds", "From the place in the order to the last local send, per core and message.",
              merged(cores_, &Stats::broadcast));
    histogram(out, "slice_seconds", "Length of slices of fan-out work.", merged(cores_, &Stats::slice));
    histogram(out, "slice_cpu_seconds", "CPU time of one slice in 16; what a slice took longer was others' time.",
              merged(cores_, &Stats::slice_cpu));
    head(out, "slice_preempted_seconds_total", "What those slices took longer than their CPU time.", "counter");
    out += "spillway_slice_preempted_seconds_total ";
    const std::uint64_t lost_ns = sum_counter(cores_, &Stats::slice_lost_ns);
    append_seconds(out, base::Duration{static_cast<base::Duration::rep>(lost_ns)});
    out += '\n';
    queue_histogram(out, cores_);
    core_families(out, cores_);
    log_families(out);
    return out;
}

std::string Ops::stats_json(base::Instant now, const HealthWatch& watch) const {
    std::string out;
    append(out, R"({"version":")", version_, R"(","uptime_seconds":)",
           std::chrono::duration_cast<std::chrono::seconds>(now - started_).count(), R"(,"cores":)", cores_.size(),
           R"(,"development_app":)", config().development_app ? "true" : "false", R"(,"clients":{)");
    for (std::size_t k = kFirstWebSocket; k < kClientKinds; ++k)
        append(out, k == kFirstWebSocket ? "\"" : ",\"", to_string(static_cast<ClientKind>(k)),
               "\":", open_connections(cores_, k));
    append(out, R"(},"http_connections":{"main":)", open_connections(cores_, 0), R"(,"metrics":)",
           open_connections(cores_, 1), R"(},"max_clients":)", config().max_clients);
    for (const SimpleGauge& g : kGauges) append(out, ",\"", g.name, "\":", sum_gauge(cores_, g.gauge));
    for (const SimpleMetric& m : kCounters) append(out, ",\"", m.name, "\":", sum_counter(cores_, m.counter));
    if (webhooks_ != nullptr) webhooks_json(out, *webhooks_, sum_counter(cores_, &Stats::webhook_overruns));
    append(out, R"(,"dropped":{)");
    for (std::size_t r = 0; r < kDropReasons; ++r) {
        append(out, r == 0 ? "\"" : ",\"", to_string(static_cast<DropReason>(r)), "\":{");
        for (std::size_t p = 0; p < kPriorities; ++p)
            append(out, p == 0 ? "\"" : ",\"", to_string(static_cast<Priority>(p)),
                   "\":", sum(cores_, [&](const Stats& s) { return s.dropped[r][p].value(); }));
        out += '}';
    }
    append(out, R"(},"dropped_by_channel_kind":{)");
    for (std::size_t k = 0; k < kChannelKinds; ++k)
        append(out, k == 0 ? "\"" : ",\"", to_string(static_cast<ChannelKind>(k)),
               "\":", sum(cores_, [k](const Stats& s) { return s.dropped_by_kind[k].value(); }));
    out += '}';
    ends_json(out, cores_);
    out += R"(,"memory_bytes":{)";
    for (std::size_t kind = 0; kind < kMemoryKinds; ++kind)
        append(out, "\"", to_string(static_cast<MemoryKind>(kind)), "\":", memory_of(cores_, kind), ",");
    append(out, R"("resident":)", resident_(), R"(},"memory_limit":)", config().memory_limit, R"(,"memory_stage":)",
           static_cast<int>(quotas_.memory.stage.load(std::memory_order_relaxed)), R"(,"per_core":[)");
    append_cores(out, cores_);
    out += ']';
    append_spread(out, "broadcast_seconds", merged(cores_, &Stats::broadcast));
    append_spread(out, "slice_seconds", merged(cores_, &Stats::slice));
    append_spread(out, "slice_cpu_seconds", merged(cores_, &Stats::slice_cpu));
    append_spread(out, "loop_lag_seconds", merged(cores_, &Stats::loop_lag));
    append_promised(out, cores_, watch.rates());
    out += ",\"health\":";
    watch.append_json(out);
    out += '}';
    return out;
}

}  // namespace spillway::server
