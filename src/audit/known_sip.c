/* Settings of pjsip.conf. */
#include "audit/known_sip.h"

enum { ALIKE = 2 };

static const char *const acl_settings[] = {
    "acl", "contact_acl", "contact_deny", "contact_permit", "deny", "permit", "type",
};
static const char *const aor_settings[] = {
    "authenticate_qualify", "contact", "default_expiration", "mailboxes", "max_contacts", "maximum_expiration", "minimum_expiration",
    "outbound_proxy", "qualify_2xx_only", "qualify_frequency", "qualify_timeout", "remove_existing", "remove_unavailable", "support_path",
    "type", "voicemail_extension",
};
static const char *const asterisk_publication_settings[] = {
    "device_state", "device_state_filter", "devicestate_publish", "mailbox_state", "mailbox_state_filter", "mailboxstate_publish", "type",
};
static const char *const auth_settings[] = {
    "auth_type", "md5_cred", "nonce_lifetime", "oauth_clientid", "oauth_secret", "password", "password_digest", "realm", "refresh_token",
    "supported_algorithms_uac", "supported_algorithms_uas", "type", "username",
};
static const char *const contact_settings[] = {
    "authenticate_qualify", "call_id", "endpoint", "expiration_time", "outbound_proxy", "path", "prune_on_boot", "qualify_2xx_only",
    "qualify_frequency", "qualify_timeout", "reg_server", "type", "uri", "user_agent", "via_addr", "via_port",
};
static const char *const domain_alias_settings[] = {
    "domain", "type",
};
static const char *const endpoint_settings[] = {
    "100rel", "accept_multiple_sdp_answers", "accountcode", "acl", "aggregate_mwi", "allow", "allow_overlap", "allow_subscribe",
    "allow_transfer", "allow_unauthenticated_options", "aors", "asymmetric_rtp_codec", "auth", "bind_rtp_to_media_address", "bundle",
    "call_group", "callerid", "callerid_privacy", "callerid_tag", "codec_prefs_incoming_answer", "codec_prefs_incoming_offer",
    "codec_prefs_outgoing_answer", "codec_prefs_outgoing_offer", "connected_line_method", "contact_acl", "contact_deny", "contact_permit",
    "contact_user", "context", "cos_audio", "cos_video", "deny", "device_state_busy_at", "direct_media", "direct_media_glare_mitigation",
    "direct_media_method", "disable_direct_media_on_nat", "disallow", "dtls_auto_generate_cert", "dtls_ca_file", "dtls_ca_path",
    "dtls_cert_file", "dtls_cipher", "dtls_fingerprint", "dtls_private_key", "dtls_rekey", "dtls_setup", "dtls_verify", "dtmf_mode",
    "fax_detect", "fax_detect_timeout", "follow_early_media_fork", "follow_redirect_methods", "force_avp", "force_rport", "from_domain",
    "from_user", "g726_non_standard", "geoloc_incoming_call_profile", "geoloc_outgoing_call_profile", "ice_support", "identify_by",
    "ignore_183_without_sdp", "inband_progress", "incoming_call_offer_pref", "incoming_mwi_mailbox", "language", "mailboxes",
    "max_audio_streams", "max_video_streams", "media_address", "media_encryption", "media_encryption_optimistic",
    "media_use_received_transport", "message_context", "moh_passthrough", "moh_suggest", "mwi_from_user", "mwi_subscribe_replaces_unsolicited",
    "named_call_group", "named_pickup_group", "notify_early_inuse_ringing", "one_touch_recording", "outbound_auth", "outbound_proxy",
    "outgoing_call_offer_pref", "overlap_context", "permit", "pickup_group", "preferred_codec_only", "record_off_feature", "record_on_feature",
    "redirect_method", "refer_blind_progress", "rewrite_contact", "rpid_immediate", "rtcp_mux", "rtp_engine", "rtp_ipv6", "rtp_keepalive",
    "rtp_port_end", "rtp_port_start", "rtp_symmetric", "rtp_timeout", "rtp_timeout_hold", "sdp_owner", "sdp_session", "security_mechanisms",
    "security_negotiation", "send_aoc", "send_connected_line", "send_diversion", "send_history_info", "send_pai", "send_rpid", "set_var",
    "srtp_tag_32", "stir_shaken", "stir_shaken_profile", "sub_min_expiry", "subscribe_context", "suppress_moh_on_sendonly",
    "suppress_q850_reason_headers", "t38_bind_udptl_to_media_address", "t38_udptl", "t38_udptl_ec", "t38_udptl_ipv6", "t38_udptl_maxdatagram",
    "t38_udptl_nat", "tenantid", "timers", "timers_min_se", "timers_sess_expires", "tone_zone", "tos_audio", "tos_video", "transport",
    "trust_connected_line", "trust_id_inbound", "trust_id_outbound", "type", "use_avpf", "use_ptime", "user_eq_phone", "voicemail_extension",
    "webrtc",
};
static const char *const global_settings[] = {
    "all_codecs_on_empty_reinvite", "allow_sending_180_after_183", "contact_expiration_check_interval", "debug", "default_auth_algorithms_uac",
    "default_auth_algorithms_uas", "default_from_user", "default_outbound_endpoint", "default_realm", "default_voicemail_extension",
    "disable_multi_domain", "endpoint_identifier_order", "ignore_uri_user_options", "keep_alive_interval", "max_forwards",
    "max_initial_qualify_time", "mwi_disable_initial_unsolicited", "mwi_tps_queue_high", "mwi_tps_queue_low", "norefersub", "regcontext",
    "send_contact_status_on_update_registration", "taskprocessor_overload_trigger", "type", "unidentified_request_count",
    "unidentified_request_period", "unidentified_request_prune_interval", "use_callerid_contact", "user_agent",
};
static const char *const identify_settings[] = {
    "endpoint", "match", "match_header", "match_request_uri", "srv_lookups", "type",
};
static const char *const inbound_publication_settings[] = {
    "endpoint", "type",
};
static const char *const outbound_publish_settings[] = {
    "event", "expiration", "from_uri", "max_auth_attempts", "multi_user", "outbound_auth", "outbound_proxy", "server_uri", "to_uri",
    "transport", "type",
};
static const char *const registration_settings[] = {
    "auth_rejection_permanent", "client_uri", "contact_header_params", "contact_user", "endpoint", "expiration", "fatal_retry_interval",
    "forbidden_retry_interval", "line", "max_random_initial_delay", "max_retries", "outbound_auth", "outbound_proxy", "retry_interval",
    "security_mechanisms", "security_negotiation", "server_uri", "support_outbound", "support_path", "transport", "type", "user_agent",
};
static const char *const resource_list_settings[] = {
    "event", "full_state", "list_item", "notification_batch_interval", "resource_display_name", "type",
};
static const char *const subscription_persistence_settings[] = {
    "contact_uri", "cseq", "endpoint", "expires", "generator_data", "local_name", "local_port", "packet", "prune_on_boot", "src_name",
    "src_port", "tag", "transport_key", "type",
};
static const char *const system_settings[] = {
    "accept_multiple_sdp_answers", "compact_headers", "disable_rport", "disable_tcp_switch", "follow_early_media_fork",
    "taskpool_auto_increment", "taskpool_idle_timeout", "taskpool_initial_size", "taskpool_max_size", "taskpool_minimum_size",
    "threadpool_auto_increment", "threadpool_idle_timeout", "threadpool_initial_size", "threadpool_max_size", "timer_b", "timer_t1", "type",
};
static const char *const transport_settings[] = {
    "allow_reload", "allow_wildcard_certs", "async_operations", "bind", "ca_list_file", "ca_list_path", "cert_file", "cipher", "cos", "domain",
    "external_media_address", "external_signaling_address", "external_signaling_hostname", "external_signaling_port", "local_net", "method",
    "password", "priv_key_file", "protocol", "require_client_cert", "symmetric_transport", "tcp_keepalive_enable", "tcp_keepalive_idle_time",
    "tcp_keepalive_interval_time", "tcp_keepalive_probe_count", "tos", "type", "verify_client", "verify_server", "websocket_write_timeout",
};

static const struct kind {
    const char *type;
    const char *const *settings;   /* NULL: any */
    size_t count;
} kinds[] = {
    { "acl", acl_settings, sizeof acl_settings / sizeof *acl_settings },
    { "aor", aor_settings, sizeof aor_settings / sizeof *aor_settings },
    { "asterisk-publication", asterisk_publication_settings, sizeof asterisk_publication_settings / sizeof *asterisk_publication_settings },
    { "auth", auth_settings, sizeof auth_settings / sizeof *auth_settings },
    { "contact", contact_settings, sizeof contact_settings / sizeof *contact_settings },
    { "domain_alias", domain_alias_settings, sizeof domain_alias_settings / sizeof *domain_alias_settings },
    { "endpoint", endpoint_settings, sizeof endpoint_settings / sizeof *endpoint_settings },
    { "global", global_settings, sizeof global_settings / sizeof *global_settings },
    { "identify", identify_settings, sizeof identify_settings / sizeof *identify_settings },
    { "inbound-publication", inbound_publication_settings, sizeof inbound_publication_settings / sizeof *inbound_publication_settings },
    { "outbound-publish", outbound_publish_settings, sizeof outbound_publish_settings / sizeof *outbound_publish_settings },
    { "registration", registration_settings, sizeof registration_settings / sizeof *registration_settings },
    { "resource_list", resource_list_settings, sizeof resource_list_settings / sizeof *resource_list_settings },
    { "subscription_persistence", subscription_persistence_settings, sizeof subscription_persistence_settings / sizeof *subscription_persistence_settings },
    { "system", system_settings, sizeof system_settings / sizeof *system_settings },
    { "transport", transport_settings, sizeof transport_settings / sizeof *transport_settings },
    { "phoneprov", NULL, 0 },
};

static const struct kind *kind_of(struct text type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (text_eq_nocase(type, text_of(kinds[i].type)))
            return &kinds[i];
    return NULL;
}

bool known_sip_type(struct text type)
{
    return kind_of(type) != NULL;
}

/* "@name" is the operator's own; what asks an event package of a publication begins with event_. */
bool known_sip_setting(struct text type, struct text name)
{
    const struct kind *k = kind_of(type);

    if (!k || !k->settings || text_starts(name, TEXT("@")) || (text_eq_nocase(type, TEXT("inbound-publication")) && text_starts_nocase(name, TEXT("event_"))))
        return true;
    for (size_t i = 0; i < k->count; i++)
        if (text_eq_nocase(name, text_of(k->settings[i])))
            return true;
    return false;
}

const char *known_sip_like(struct text type, struct text name)
{
    const struct kind *k = kind_of(type);
    const char *best = NULL;
    size_t least = ALIKE + 1;

    for (size_t i = 0; k && i < k->count; i++) {
        const size_t d = text_distance(name, text_of(k->settings[i]));

        if (d < least) {
            least = d;
            best = k->settings[i];
        }
    }
    return best;
}
