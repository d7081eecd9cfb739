package dev.neo4jokta;

import java.util.Map;
import org.neo4j.configuration.GroupSetting;
import org.neo4j.configuration.SettingBuilder;
import org.neo4j.configuration.SettingValueParser;
import org.neo4j.configuration.SettingValueParsers;
import org.neo4j.graphdb.config.Setting;

/**
 * {@code dbms.security.oidc.<provider>.*} as Neo4j documents them, so that strict
 * validation takes each documented name and refuses every other.
 */
public final class OidcSettings implements GroupSetting {
    static final String PREFIX = "dbms.security.oidc";

    private final String provider;

    public final Setting<String> display_name;
    public final Setting<String> well_known_discovery_uri;
    public final Setting<String> issuer;
    public final Setting<String> jwks_uri;
    public final Setting<String> auth_endpoint;
    public final Setting<String> token_endpoint;
    public final Setting<String> user_info_uri;
    public final Setting<String> audience;
    public final Setting<String> claims_username;
    public final Setting<String> claims_groups;
    public final Setting<String> group_to_role_mapping;
    public final Setting<String> auth_flow;
    public final Setting<String> client_id;
    public final Setting<Map<String, String>> config;
    public final Setting<Map<String, String>> params;
    public final Setting<Map<String, String>> auth_params;
    public final Setting<Map<String, String>> token_params;
    public final Setting<Boolean> get_groups_from_user_info;
    public final Setting<Boolean> get_username_from_user_info;

    /** For the service loader. */
    public OidcSettings() {
        this("");
    }

    public OidcSettings(String provider) {
        this.provider = provider;
        display_name = text("display_name", null);
        well_known_discovery_uri = text("well_known_discovery_uri", null);
        issuer = text("issuer", null);
        jwks_uri = text("jwks_uri", null);
        auth_endpoint = text("auth_endpoint", null);
        token_endpoint = text("token_endpoint", null);
        user_info_uri = text("user_info_uri", null);
        audience = text("audience", null);
        claims_username = text("claims.username", "sub");
        claims_groups = text("claims.groups", null);
        group_to_role_mapping = text("authorization.group_to_role_mapping", null);
        auth_flow = text("auth_flow", "PKCE");
        client_id = text("client_id", null);
        config = setting("config", SettingValueParsers.MAP_PATTERN, null);
        params = setting("params", SettingValueParsers.MAP_PATTERN, null);
        auth_params = setting("auth_params", SettingValueParsers.MAP_PATTERN, null);
        token_params = setting("token_params", SettingValueParsers.MAP_PATTERN, null);
        get_groups_from_user_info = setting("get_groups_from_user_info", SettingValueParsers.BOOL, false);
        get_username_from_user_info = setting("get_username_from_user_info", SettingValueParsers.BOOL, false);
    }

    @Override
    public String name() {
        return provider;
    }

    @Override
    public String getPrefix() {
        return PREFIX;
    }

    private Setting<String> text(String suffix, String otherwise) {
        return setting(suffix, SettingValueParsers.STRING, otherwise);
    }

    private <T> Setting<T> setting(String suffix, SettingValueParser<T> parser, T otherwise) {
        String key = "%s.%s.%s".formatted(PREFIX, provider, suffix);
        return SettingBuilder.newBuilder(key, parser, otherwise).build();
    }
}
