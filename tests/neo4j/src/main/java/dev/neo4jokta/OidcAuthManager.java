package dev.neo4jokta;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.neo4j.configuration.Config;
import org.neo4j.internal.kernel.api.connectioninfo.ClientConnectionInfo;
import org.neo4j.internal.kernel.api.security.LoginContext;
import org.neo4j.kernel.api.security.AuthManager;
import org.neo4j.kernel.api.security.AuthToken;
import org.neo4j.kernel.api.security.exception.InvalidAuthTokenException;

/**
 * Bearer tokens go to the OIDC providers, in the order of the setting; everything
 * else goes to the server's own manager of native users.
 */
final class OidcAuthManager extends AuthManager {
    private static final String REALM = "oidc-";

    private final AuthManager nativeUsers;
    private final List<OidcProvider> providers = new ArrayList<>();

    OidcAuthManager(Config config, AuthManager nativeUsers) {
        this.nativeUsers = nativeUsers;
        Map<String, OidcSettings> known = config.getGroups(OidcSettings.class);
        Set<String> authorizing = Set.copyOf(config.get(RealmSettings.authorization_providers));
        for (String realm : config.get(RealmSettings.authentication_providers)) {
            if (!realm.startsWith(REALM)) {
                continue;
            }
            OidcSettings settings = known.get(realm.substring(REALM.length()));
            if (settings == null) {
                throw new IllegalArgumentException("there are no settings for the provider " + realm);
            }
            providers.add(new OidcProvider(config, settings, authorizing.contains(realm)));
        }
    }

    @Override
    public LoginContext login(Map<String, Object> token, ClientConnectionInfo from) throws InvalidAuthTokenException {
        if (providers.isEmpty() || !"bearer".equals(token.get(AuthToken.SCHEME_KEY))) {
            return nativeUsers.login(token, from);
        }
        byte[] credentials = AuthToken.safeCastCredentials(AuthToken.CREDENTIALS, token);
        String jwt = new String(credentials, StandardCharsets.UTF_8);
        AuthToken.clearCredentials(token);
        for (OidcProvider provider : providers) {
            try {
                return OidcLogin.accepted(provider.check(jwt), from);
            } catch (OidcProvider.Refused refused) {
                System.out.printf("OIDC provider %s refuses a token: %s%n", provider.name(), refused.getMessage());
            }
        }
        return OidcLogin.refused(from);
    }

    @Override
    public LoginContext impersonate(LoginContext original, String user) {
        return nativeUsers.impersonate(original, user);
    }

    @Override
    public void init() throws Exception {
        nativeUsers.init();
    }

    @Override
    public void start() throws Exception {
        nativeUsers.start();
    }

    @Override
    public void stop() throws Exception {
        nativeUsers.stop();
    }

    @Override
    public void shutdown() throws Exception {
        nativeUsers.shutdown();
    }
}
