package sample;

import com.nimbusds.jwt.JWTParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.function.Supplier;
import org.neo4j.driver.AuthToken;
import org.neo4j.driver.AuthTokenAndExpiration;
import org.neo4j.driver.AuthTokenManager;
import org.neo4j.driver.AuthTokenManagers;
import org.neo4j.driver.AuthTokens;

/**
 * Logs a driver in with the token that the operator keeps in a mounted file.
 *
 * <p>Needs the path of the file, below a volume that is mounted as a folder, and reads it
 * anew after that time, or at the expiry. Refuses to hand over a token that has expired:
 * whoever asked is told, and asks again later.
 */
final class TokenFile implements Supplier<AuthTokenAndExpiration> {
    /** There is no token to log in with, for the moment. */
    static final class NoToken extends RuntimeException {
        private static final long serialVersionUID = 1L;

        NoToken(String why) {
            super(why);
        }
    }

    private final Path path;
    private final Duration reread;
    private Instant last = Instant.EPOCH;

    private TokenFile(Path path, Duration reread) {
        this.path = path;
        this.reread = reread;
    }

    static AuthTokenManager manager(Path path, Duration reread) {
        return AuthTokenManagers.bearer(new TokenFile(path, reread));
    }

    @Override
    public synchronized AuthTokenAndExpiration get() {
        String token = read();
        Instant expires = expiry(token);
        Instant now = Instant.now();
        if (!expires.isAfter(now)) {
            throw new NoToken("the token in " + path + " has expired");
        }
        if (!expires.equals(last)) {
            System.out.println("token expires=" + expires.getEpochSecond());
            last = expires;
        }
        // Sooner than it has to be: so new groups count within a minute. Connections log in
        // anew only when the token is another. The driver wants an instant yet to come.
        Instant due = now.plus(reread);
        AuthToken bearer = AuthTokens.bearer(token);
        return bearer.expiringAt((due.isBefore(expires) ? due : expires).toEpochMilli());
    }

    private String read() {
        try {
            // Opened anew each time: the kubelet puts another file in its place.
            return Files.readString(path).strip();
        } catch (IOException e) {
            throw new NoToken("no token file: " + e);
        }
    }

    /** The claim exp; Neo4j checks the signature, not this. */
    private static Instant expiry(String token) {
        Date expires = null;
        try {
            expires = JWTParser.parse(token).getJWTClaimsSet().getExpirationTime();
        } catch (ParseException e) {
            // Without the cause, which could show a part of the token.
        }
        if (expires == null) {
            throw new NoToken("the token is not a JWT with an expiry");
        }
        return expires.toInstant();
    }
}
