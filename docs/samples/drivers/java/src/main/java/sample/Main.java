package sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.neo4j.driver.Config;
import org.neo4j.driver.Driver;
import org.neo4j.driver.GraphDatabase;
import org.neo4j.driver.Record;
import org.neo4j.driver.Session;
import org.neo4j.driver.Transaction;
import org.neo4j.driver.exceptions.AuthTokenManagerExecutionException;
import org.neo4j.driver.exceptions.Neo4jException;
import org.neo4j.driver.exceptions.SecurityException;
import org.neo4j.driver.exceptions.ServiceUnavailableException;

/**
 * Runs each line of standard input as a Cypher statement, and stays logged in.
 *
 * <p>{@code :begin} and {@code :commit} put an explicit transaction around statements. Needs
 * NEO4J_URI and NEO4J_TOKEN_FILE. Refuses to end for want of a token: it says {@code retry}
 * and tries again.
 */
public final class Main {
    private final Driver driver;
    private Session session;
    private Transaction transaction;

    private Main(Driver driver) {
        this.driver = driver;
    }

    public static void main(String[] args) throws IOException {
        var file = Path.of(System.getenv("NEO4J_TOKEN_FILE"));
        var reread = Duration.ofSeconds(
                Long.parseLong(System.getenv().getOrDefault("NEO4J_TOKEN_REREAD", "60")));
        // The driver itself tries again for so long; then we are told.
        var config = Config.builder()
                .withMaxTransactionRetryTime(5, TimeUnit.SECONDS)
                .build();
        var manager = TokenFile.manager(file, reread);
        try (var driver = GraphDatabase.driver(System.getenv("NEO4J_URI"), manager, config);
                var lines = new BufferedReader(new InputStreamReader(System.in))) {
            var main = new Main(driver);
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                main.line(line.strip());
            }
        }
    }

    private void line(String statement) {
        try {
            run(statement);
            System.out.println("ok");
        } catch (RuntimeException e) {
            // Of a transaction nothing is left: only its author can begin again.
            close();
            System.out.println("failed: " + reason(e));
        }
    }

    private void run(String statement) {
        if (statement.equals(":begin")) {
            session = driver.session();
            transaction = patiently(session::beginTransaction);
        } else if (statement.equals(":commit")) {
            transaction.commit();
            close();
        } else if (transaction != null) {
            show(transaction.run(statement).list());
        } else {
            show(patiently(() -> driver.executableQuery(statement).execute().records()));
        }
    }

    private void close() {
        if (session != null) {
            session.close();
        }
        session = null;
        transaction = null;
    }

    private static void show(List<Record> records) {
        for (Record record : records) {
            System.out.println(record.values().stream()
                    .map(value -> String.valueOf(value.asObject()))
                    .collect(Collectors.joining(" ", "row ", "")));
        }
    }

    /** Does {@code work}, again and again while the server does not let us in. */
    private static <T> T patiently(Supplier<T> work) {
        while (true) {
            try {
                return work.get();
            } catch (RuntimeException e) {
                if (!isPassing(e)) {
                    throw e;
                }
                System.out.println("retry: " + reason(e));
                pause();
            }
        }
    }

    private static boolean isPassing(RuntimeException e) {
        // What the roles do not allow is a SecurityException as well, which another login
        // does not mend.
        return e instanceof AuthTokenManagerExecutionException
                || e instanceof ServiceUnavailableException
                || (e instanceof SecurityException refused && !refused.code().endsWith(".Forbidden"));
    }

    private static String reason(RuntimeException e) {
        if (e instanceof AuthTokenManagerExecutionException) {
            // The driver wraps what the manager threw.
            Throwable cause = e;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            return cause.getMessage();
        }
        return e instanceof Neo4jException refused ? refused.code() : e.getMessage();
    }

    private static void pause() {
        try {
            Thread.sleep(1000);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
