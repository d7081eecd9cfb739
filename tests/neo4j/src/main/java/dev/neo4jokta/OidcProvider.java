package dev.neo4jokta;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.net.URI;
import java.net.URL;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.neo4j.configuration.Config;

/**
 * One provider: its settings, Okta's discovery document and keys, and the check of
 * a token against them. Discovery waits for the first login, so that the server
 * starts without Okta; keys are fetched again for a key id that is not known.
 */
final class OidcProvider {
    /** Why a token is not accepted; never holds the token. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String why) {
            super(why);
        }
    }

    /** Who logged in, what they may do, and until when. */
    record Login(String user, Set<String> roles, Instant until) {}

    private static final int PATIENCE = 5_000;

    private final String name;
    private final String discovery;
    private final String issuerSetting;
    private final String jwksSetting;
    private final Set<String> audiences;
    private final String username;
    private final String groups;
    private final RoleMapping mapping;
    private final boolean authorizes;
    private DefaultJWTProcessor<SecurityContext> processor;

    OidcProvider(Config config, OidcSettings settings, boolean authorizes) {
        this.name = settings.name();
        this.authorizes = authorizes;
        discovery = config.get(settings.well_known_discovery_uri);
        issuerSetting = config.get(settings.issuer);
        jwksSetting = config.get(settings.jwks_uri);
        String audience = config.get(settings.audience);
        if (audience == null || (discovery == null && (issuerSetting == null || jwksSetting == null))) {
            throw new IllegalArgumentException("provider " + name + " lacks its audience, or where to find its keys");
        }
        audiences = Arrays.stream(audience.split(",")).map(String::trim).collect(Collectors.toSet());
        username = config.get(settings.claims_username);
        groups = config.get(settings.claims_groups);
        mapping = RoleMapping.parse(config.get(settings.group_to_role_mapping));
    }

    String name() {
        return name;
    }

    Login check(String token) throws Refused {
        JWTClaimsSet claims;
        try {
            claims = processor().process(token, null);
        } catch (Refused refused) {
            throw refused;
        } catch (Exception e) {
            throw new Refused(e.getMessage());
        }
        if (!(claims.getClaim(username) instanceof String user)) {
            throw new Refused("it has no claim " + username);
        }
        Set<String> roles = new TreeSet<>(Set.of("PUBLIC"));
        if (authorizes && groups != null) {
            groups(claims.getClaim(groups)).forEach(group -> roles.addAll(mapping.roles(group)));
        }
        return new Login(user, roles, claims.getExpirationTime().toInstant());
    }

    private static List<String> groups(Object claim) {
        return switch (claim) {
            case null -> List.of();
            case String one -> List.of(one);
            case List<?> many -> many.stream().map(String::valueOf).toList();
            default -> List.of();
        };
    }

    private synchronized DefaultJWTProcessor<SecurityContext> processor() throws Refused {
        if (processor == null) {
            try {
                processor = discover();
            } catch (Exception e) {
                throw new Refused("the provider cannot be reached: " + e.getMessage());
            }
        }
        return processor;
    }

    private DefaultJWTProcessor<SecurityContext> discover() throws Exception {
        var retriever = new DefaultResourceRetriever(PATIENCE, PATIENCE);
        Map<String, Object> found = Map.of();
        if (discovery != null) {
            URL url = URI.create(discovery).toURL();
            found = JSONObjectUtils.parse(retriever.retrieveResource(url).getContent());
        }
        String issuer = issuerSetting != null ? issuerSetting : (String) found.get("issuer");
        String keys = jwksSetting != null ? jwksSetting : (String) found.get("jwks_uri");
        JWKSource<SecurityContext> source = JWKSourceBuilder.<SecurityContext>create(
                        URI.create(keys).toURL(), retriever)
                .rateLimited(false)
                .build();
        var processor = new DefaultJWTProcessor<SecurityContext>();
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.RS256, source));
        var expected = new JWTClaimsSet.Builder().issuer(issuer).build();
        var verifier = new DefaultJWTClaimsVerifier<SecurityContext>(audiences, expected, Set.of("sub", "exp"), null) {
            @Override
            protected Date currentTime() {
                return Date.from(Now.now());
            }
        };
        verifier.setMaxClockSkew(0);
        processor.setJWTClaimsSetVerifier(verifier);
        return processor;
    }
}
