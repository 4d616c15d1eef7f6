// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/reloader.h"

#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/format.h"
#include "base/log.h"
#include "io/host_memory.h"
#include "server/memory_budget.h"

namespace spillway::server {

namespace log = base::log;
using base::concat;

namespace {

/// The reason alone, for one line of the log.
std::string_view trimmed(std::string_view text) {
    if (constexpr std::string_view name = "spillway: "; text.starts_with(name)) text.remove_prefix(name.size());
    return text.substr(0, text.find('\n'));
}

void refused(std::string_view reason, Ops& ops) {
    log::error(concat("reload refused, the settings in force stay: ", trimmed(reason)));
    ops.count_reload(false);
}

}  // namespace

Reloader::Reloader(std::shared_ptr<const Snapshot> first, ConfigSource source, const DescriptorPlan& plan)
    : current_(std::move(first)), source_(std::move(source)), plan_(plan) {}

void Reloader::reload(MeshPort& port, Quotas& quotas, Ops& ops) {
    if (waiting()) {
        again_ = true;
        return;
    }
    again_ = false;
    LoadOutcome read = source_();
    if (!read.run) return refused(read.text, ops);
    settle(read.config, plan_);
    settle_memory(read.config, io::available_memory(""));
    auto next = succeed(*current_, std::move(read.config));
    if (!next) return refused(next.error(), ops);
    for (const std::string& notice : read.notices) log::info(notice);
    take(*std::move(next), port, quotas, ops);
}

void Reloader::take(Succession next, MeshPort& port, Quotas& quotas, Ops& ops) {
    for (const std::string& notice : next.notices) log::warn(notice);
    log::info(concat("reload: ", next.snapshot->apps.served(), " apps, ", next.apps_added, " new, ", next.apps_removed,
                     " gone"));
    before_ = std::exchange(current_, std::move(next.snapshot));
    quotas.per_app.grow(current_->apps.size());
    quotas.publishes.grow(current_->apps.size());
    if (const auto level = log::level_named(current_->config.log_level)) log::set_level(*level);
    ops.set_config(current_->config);
    const CoreId cores = port.self();  // the control endpoint comes after them
    for (CoreId core = 0; core < cores; ++core) port.send(core, Reload{current_.get()});
    port.flush();
    switching_ = cores;
    for (const Subscriber& subscriber : subscribers_) subscriber(current_);
}

void Reloader::switched(MeshPort& port, Quotas& quotas, Ops& ops) {
    SPILLWAY_ASSERT(switching_ != 0);
    if (--switching_ != 0) return;
    before_.reset();
    log::info("reloaded: the new settings are in force");
    ops.count_reload(true);
    if (again_) reload(port, quotas, ops);
}

}  // namespace spillway::server
