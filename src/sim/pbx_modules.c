/* The list of modules of a private Asterisk. */
#include "sim/pbx_modules.h"

#include <stddef.h>

const char *const pbx_modules[] = {
    "res_timing_timerfd", "res_crypto", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb", "res_http_websocket",
    "res_websocket_client", "res_curl", "res_speech", "res_musiconhold",
    "format_wav", "format_sln", "format_pcm", "format_gsm",
    "codec_ulaw", "codec_alaw", "codec_gsm", "codec_g722", "codec_resample", "codec_a_mu",
    "pbx_config", "pbx_spool",
    "bridge_simple", "bridge_native_rtp", "bridge_softmix", "bridge_holding", "bridge_builtin_features",
    "bridge_builtin_interval_features", "chan_bridge_media",
    "res_stasis", "res_stasis_answer", "res_stasis_broadcast", "res_stasis_device_state", "res_stasis_playback",
    "res_stasis_recording", "res_stasis_snoop", "app_stasis", "app_stasis_broadcast",
    "res_ari_model", "res_ari", "res_ari_applications", "res_ari_asterisk", "res_ari_bridges", "res_ari_channels",
    "res_ari_device_states", "res_ari_endpoints", "res_ari_events", "res_ari_playbacks", "res_ari_recordings", "res_ari_sounds",
    /* chan_rtp does not load without res_rtp_multicast. */
    "res_audiosocket", "app_audiosocket", "chan_audiosocket", "res_rtp_asterisk", "res_rtp_multicast", "chan_rtp",
    "chan_websocket", "res_agi",
    "res_pjproject", "res_pjsip", "res_pjsip_session", "res_pjsip_sdp_rtp", "res_pjsip_authenticator_digest",
    "res_pjsip_outbound_authenticator_digest", "res_pjsip_caller_id", "res_pjsip_dtmf_info",
    "res_pjsip_endpoint_identifier_anonymous", "res_pjsip_endpoint_identifier_ip", "res_pjsip_endpoint_identifier_user",
    "res_pjsip_header_funcs", "res_pjsip_logger", "res_pjsip_nat", "res_pjsip_pubsub", "res_pjsip_refer", "res_pjsip_registrar",
    "res_pjsip_rfc3326", "res_pjsip_diversion", "res_pjsip_acl", "chan_pjsip",
    "app_agent_pool", "app_amd", "app_authenticate", "app_bridgewait", "app_cdr", "app_celgenuserevent", "app_chanspy",
    "app_confbridge", "app_controlplayback", "app_db", "app_dial", "app_directed_pickup", "app_dtmfstore", "app_dumpchan",
    "app_echo", "app_exec", "app_externalivr", "app_forkcdr", "app_if", "app_milliwatt", "app_mixmonitor", "app_originate",
    "app_playback", "app_playtones", "app_queue", "app_read", "app_record", "app_sayunixtime", "app_senddtmf", "app_softhangup",
    "app_speech_utils", "app_stack", "app_system", "app_talkdetect", "app_transfer", "app_userevent", "app_verbose",
    "app_waitforcond", "app_waitforsilence", "app_waituntil", "app_while", "app_blind_transfer", "app_attended_transfer",
    "func_base64", "func_callerid", "func_cdr", "func_channel", "func_config", "func_cut", "func_db", "func_devstate",
    "func_dialplan", "func_env", "func_export", "func_frame_drop", "func_global", "func_groupcount", "func_hangupcause",
    "func_jitterbuffer", "func_json", "func_lock", "func_logic", "func_math", "func_md5", "func_module", "func_periodic_hook",
    "func_pjsip_aor", "func_pjsip_contact", "func_pjsip_endpoint", "func_rand", "func_sha1", "func_shell", "func_sprintf",
    "func_strings", "func_sysinfo", "func_talkdetect", "func_timeout", "func_uri", "func_uuid", "func_version", "func_volume",
    "res_parking", "res_tonedetect", "res_mutestream", "res_clioriginate", "cdr_manager", "cel_manager",
    NULL,
};
