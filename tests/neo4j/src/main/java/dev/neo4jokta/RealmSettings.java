package dev.neo4jokta;

import static org.neo4j.configuration.SettingValueParsers.STRING;
import static org.neo4j.configuration.SettingValueParsers.listOf;

import java.util.List;
import org.neo4j.configuration.SettingBuilder;
import org.neo4j.configuration.SettingsDeclaration;
import org.neo4j.graphdb.config.Setting;

/** Which realms log in and which give roles: documented settings of Enterprise. */
public final class RealmSettings implements SettingsDeclaration {
    public static final Setting<List<String>> authentication_providers = SettingBuilder.newBuilder(
                    "dbms.security.authentication_providers", listOf(STRING), List.of("native"))
            .build();

    public static final Setting<List<String>> authorization_providers = SettingBuilder.newBuilder(
                    "dbms.security.authorization_providers", listOf(STRING), List.of("native"))
            .build();
}
